import { Flag, FrameType } from "../../codec/index.js";
import type { Outbox } from "./outbox.js";

interface PendingPing {
  startedAtMs: number;
  timer: ReturnType<typeof setTimeout>;
  settle(roundTripMs: number | undefined): void;
}

/** What pings need of their session. */
export interface PingHost {
  /** Counts bytes that arrive. */
  readonly receivedBytes: number;
  readonly outbox: Outbox;
}

/** What a watch tells. */
export interface WatchHost {
  /** Another interval is over. */
  onInterval(): void;
  /** A ping has no answer and nothing else has arrived either. The watch is over. */
  onDead(): void;
}

/** Pings of one session: those asked for, and those that keep watch. W3.3. */
export class Pings {
  readonly #host: PingHost & WatchHost;
  readonly #timeoutMs: number;
  /** Most of the time there are none, and most sessions are idle. */
  #pending: Map<number, PendingPing> | undefined;
  #nextValue = 0;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #intervalMs = 0;
  /** The shortest round trip so far, in milliseconds. */
  shortestMs: number | undefined;
  /** How much had arrived when the interval began. */
  #seenBytes = 0;

  constructor(host: PingHost & WatchHost, timeoutMs: number) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns the round trip in milliseconds, or undefined when no answer came in time or the session ended. */
  ping(): Promise<number | undefined> {
    const value = this.#nextValue;
    this.#nextValue = (value + 1) >>> 0;
    this.#pending ??= new Map();
    const all = this.#pending;
    return new Promise((resolve) => {
      const settle = (roundTripMs: number | undefined) => {
        clearTimeout(pending.timer);
        if (roundTripMs !== undefined)
          this.shortestMs = Math.min(roundTripMs, this.shortestMs ?? roundTripMs);
        all.delete(value);
        if (all.size === 0 && this.#pending === all) this.#pending = undefined;
        resolve(roundTripMs);
      };
      const timer = setTimeout(() => settle(undefined), this.#timeoutMs);
      const pending: PendingPing = { startedAtMs: performance.now(), timer, settle };
      all.set(value, pending);
      this.#host.outbox.frame(FrameType.Ping, Flag.Syn, 0, value);
    });
  }

  /** An answer has come. One that was not asked for is ignored. */
  onAnswer(value: number): void {
    const pending = this.#pending?.get(value);
    pending?.settle(performance.now() - pending.startedAtMs);
  }

  /** Pings every interval in which nothing else has arrived. */
  watch(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    this.#nextInterval();
  }

  /** Ends the watch and every wait. */
  close(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    for (const pending of [...(this.#pending?.values() ?? [])]) pending.settle(undefined);
  }

  #nextInterval(): void {
    this.#seenBytes = this.#host.receivedBytes;
    this.#watch = setTimeout(Pings.#intervalOver, this.#intervalMs, this);
  }

  // one function for all sessions
  static #intervalOver(pings: Pings): void {
    void pings.#lookAfterPeer();
  }

  async #lookAfterPeer(): Promise<void> {
    this.#host.onInterval();
    if (this.#host.receivedBytes === this.#seenBytes) {
      const answer = await this.ping();
      if (this.#watch === undefined) return;
      if (answer === undefined && this.#host.receivedBytes === this.#seenBytes) {
        this.#host.onDead();
        return;
      }
    }
    this.#nextInterval();
  }
}
