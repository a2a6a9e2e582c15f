import { Flag, FrameType } from "../../codec/index.js";

interface PendingPing {
  startedAtMs: number;
  timer: ReturnType<typeof setTimeout>;
  settle(roundTripMs: number | undefined): void;
}

/** What pings need of their session. */
export interface PingHost {
  /** Counts bytes that arrive. */
  receivedBytes(): number;
  frame(type: number, flags: number, streamId: number, length: number): void;
}

/** Pings of one session: those asked for, and those that keep watch. W3.3. */
export class Pings {
  readonly #host: PingHost;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, PendingPing>();
  #nextValue = 0;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(host: PingHost, timeoutMs: number) {
    this.#host = host;
    this.#timeoutMs = timeoutMs;
  }

  /** @returns the round trip in milliseconds, or undefined when no answer came in time or the session ended. */
  ping(): Promise<number | undefined> {
    const value = this.#nextValue;
    this.#nextValue = (value + 1) >>> 0;
    return new Promise((resolve) => {
      const settle = (roundTripMs: number | undefined) => {
        clearTimeout(pending.timer);
        this.#pending.delete(value);
        resolve(roundTripMs);
      };
      const timer = setTimeout(() => settle(undefined), this.#timeoutMs);
      const pending: PendingPing = { startedAtMs: performance.now(), timer, settle };
      this.#pending.set(value, pending);
      this.#host.frame(FrameType.Ping, Flag.Syn, 0, value);
    });
  }

  /** An answer has come. One that was not asked for is ignored. */
  onAnswer(value: number): void {
    const pending = this.#pending.get(value);
    pending?.settle(performance.now() - pending.startedAtMs);
  }

  /**
   * Pings every interval in which nothing else has arrived.
   * @param onIdle called each interval.
   * @param onDead called once, when a ping has no answer and nothing else has arrived either.
   */
  watch(intervalMs: number, onIdle: () => void, onDead: () => void): void {
    let seen = this.#host.receivedBytes();
    const tick = async () => {
      onIdle();
      if (this.#host.receivedBytes() === seen) {
        const answer = await this.ping();
        if (this.#watch === undefined) return;
        if (answer === undefined && this.#host.receivedBytes() === seen) {
          onDead();
          return;
        }
      }
      seen = this.#host.receivedBytes();
      this.#watch = setTimeout(tick, intervalMs);
    };
    this.#watch = setTimeout(tick, intervalMs);
  }

  /** Ends the watch and every wait. */
  close(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    for (const pending of [...this.#pending.values()]) pending.settle(undefined);
  }
}
