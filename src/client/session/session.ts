import { asError } from "../../rpc/error-text.js";
import type { AgentConnection } from "../dial/connection.js";
import type { TypedVersion } from "../dial/dial.js";
import type { VersionChoice } from "../dial/dial-options.js";
import { LinkedAbort } from "../linked-abort.js";
import { pause } from "../pause.js";
import type { AgentClient } from "../senders/sender.js";
import { TimeLimit } from "../time-limit.js";
import { unlessAborted, untilAborted } from "../until-aborted.js";
import { withinMs } from "../within-ms.js";
import { Backoff } from "./backoff.js";
import { FinalAnswers } from "./final-answers.js";
import { SenderRun } from "./sender-run.js";
import type { ReconnectingSession, SessionEnd, SessionOptions } from "./session-options.js";
import { type SessionState, StateFeed, unsentOf } from "./states.js";

const defaultCloseTimeoutMs = 5000;
/** What does not end with its signal is not waited for any longer. */
const routineEndMs = 5000;
const closingWaitMs = 500;
/** When the time for closing is over, what has been told to end has so long to do it. */
const lastTurnMs = 250;

/** Begins a session that dials with a function. */
export function sessionWith<V extends VersionChoice>(
  dial: (signal: AbortSignal) => Promise<AgentConnection<TypedVersion<V>>>,
  options: SessionOptions<V>,
): ReconnectingSession<V> {
  // a session of any version is run the same way: its type says what its connections have
  const session: ReconnectingSession = new Session(
    dial as unknown as (signal: AbortSignal) => Promise<AgentConnection>,
    options as unknown as SessionOptions,
  );
  return session as unknown as ReconnectingSession<V>;
}

class Session implements ReconnectingSession {
  readonly ended: Promise<SessionEnd>;
  readonly #dial: (signal: AbortSignal) => Promise<AgentConnection>;
  readonly #onConnected: SessionOptions["onConnected"];
  readonly #senders: readonly SenderRun[];
  readonly #states = new StateFeed<SessionState>({ kind: "dialling", attempt: 1 });
  readonly #backoff: Backoff;
  readonly #finalAnswers: FinalAnswers;
  /** Ends when the session begins to close. */
  readonly #closing = new AbortController();
  /** Ends when everything must. */
  readonly #hard: LinkedAbort;
  /** Gives the present connection up. */
  #giveUp: ((reason: Error) => void) | undefined;
  /** What `onConnected` does right now. */
  #underWay: Promise<unknown> = Promise.resolve();
  #closeDeadlineMs = 0;
  #closed: Promise<SessionEnd> | undefined;

  constructor(dial: (signal: AbortSignal) => Promise<AgentConnection>, options: SessionOptions) {
    this.#dial = dial;
    this.#onConnected = options.onConnected?.bind(options);
    this.#senders = (options.senders ?? []).map((sender) => new SenderRun(sender));
    this.#backoff = new Backoff(options.backoff);
    this.#finalAnswers = new FinalAnswers(options);
    this.#hard = new LinkedAbort(...(options.signal === undefined ? [] : [options.signal]));
    this.ended = this.#run();
  }

  get state(): SessionState {
    return this.#states.present;
  }

  states(signal?: AbortSignal): AsyncIterableIterator<SessionState> {
    return this.#states.read(signal);
  }

  async connected(signal?: AbortSignal): Promise<AgentConnection> {
    for await (const state of this.#states.read(signal)) {
      if (state.kind === "connected") return state.connection;
      if (state.kind === "stopped") throw state.error ?? new Error("the session is closed");
    }
    signal?.throwIfAborted();
    throw new Error("the session is closed");
  }

  reconnect(reason = "a new connection was asked for"): void {
    this.#giveUp?.(new Error(reason));
  }

  close({ timeoutMs = defaultCloseTimeoutMs }: { timeoutMs?: number } = {}): Promise<SessionEnd> {
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<SessionEnd> {
    const error = await this.#connectAgainAndAgain();
    const end: SessionEnd = { error, unsent: unsentOf(this.#senders) };
    this.#hard.abort(error ?? new Error("the session is closed"));
    this.#hard.release();
    this.#states.set({ kind: "stopped", ...end }, true);
    return end;
  }

  /** @returns why no further attempt is made; undefined when the session is closed. */
  async #connectAgainAndAgain(): Promise<Error | undefined> {
    const { signal } = this.#hard;
    let attempt = 0;
    while (!signal.aborted) {
      attempt++;
      // the first is the state that it begins with
      if (attempt > 1 || this.state.kind !== "dialling") this.#states.set({ kind: "dialling", attempt });
      let lost: Error;
      let waitMs: number;
      try {
        const connection = await this.#dialled(signal);
        attempt = 0;
        const begin = performance.now();
        lost = await this.#live(connection);
        waitMs = this.#backoff.nextAfter(performance.now() - begin);
        // an end while it closes is the end
        if (this.#closing.signal.aborted) return undefined;
      } catch (error) {
        lost = asError(error);
        if (!signal.aborted && this.#finalAnswers.isFinal(error)) return lost;
        waitMs = this.#backoff.next();
      }
      if (signal.aborted) break;
      // not for long when there is something to send before the end. C4.89.
      if (this.#closing.signal.aborted) waitMs = Math.min(waitMs, closingWaitMs);
      this.#states.set({ kind: "lost", error: lost, retryInMs: Math.round(waitMs) });
      await this.#wait(waitMs);
    }
    return this.#closing.signal.aborted ? undefined : asError(signal.reason);
  }

  /** A dial may not listen to its signal, as where a token is asked for: what it has after the end is closed. */
  async #dialled(signal: AbortSignal): Promise<AgentConnection> {
    const dial = this.#dial(signal);
    try {
      return await unlessAborted(dial, signal, (connection) => void connection.close());
    } catch (error) {
      if (signal.aborted) await withinMs(Promise.allSettled([dial]), lastTurnMs);
      throw error;
    }
  }

  /** Waits before the next attempt; a session that begins to close meanwhile makes it at once. */
  async #wait(waitMs: number): Promise<void> {
    const isClosing = this.#closing.signal.aborted;
    const either = new LinkedAbort(this.#hard.signal, ...(isClosing ? [] : [this.#closing.signal]));
    await pause(waitMs, either.signal).catch(() => {});
    either.release();
  }

  /** Uses a connection until it ends. @returns why it has ended. */
  async #live(connection: AgentConnection): Promise<Error> {
    this.#finalAnswers.connected();
    const scope = new LinkedAbort(this.#hard.signal);
    const inUse = new LinkedAbort(scope.signal, this.#closing.signal);
    this.#giveUp = (reason) => scope.abort(reason);
    void connection.closed.then((reason) => scope.abort(reason));
    this.#underWay = this.#runConnected(connection, inUse.signal);
    const routines = [
      this.#underWay,
      ...this.#senders.map((sender) => sender.over(connection.agent as AgentClient, scope.branch())),
    ];
    for (const routine of routines) routine.catch((error: unknown) => scope.abort(error));
    this.#states.set({ kind: "connected", connection });
    await untilAborted(scope.signal);
    this.#giveUp = undefined;
    const leftMs = this.#closeDeadlineMs - performance.now();
    const isClosing = this.#closing.signal.aborted;
    await withinMs(Promise.allSettled(routines), isClosing ? Math.max(lastTurnMs, leftMs) : routineEndMs);
    await connection.close({ timeoutMs: Math.max(0, this.#closeDeadlineMs - performance.now()) });
    scope.release();
    inUse.release();
    return asError(scope.signal.reason);
  }

  async #runConnected(connection: AgentConnection, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      await this.#onConnected?.(connection, signal);
    } catch (error) {
      // what ends because it was told to has not failed
      if (!signal.aborted) throw error;
    }
  }

  async #close(timeoutMs: number): Promise<SessionEnd> {
    this.#closeDeadlineMs = performance.now() + timeoutMs;
    const limit = new TimeLimit(timeoutMs, this.#hard.signal, "the time for closing is over");
    this.#closing.abort(new Error("the session closes"));
    try {
      await Promise.race([this.#drained(limit.signal), this.ended]);
    } catch {
      // what is left is told at the end
    } finally {
      limit.release();
      this.#hard.abort(new Error("the session is closed"));
    }
    return await this.ended;
  }

  /** What is under way may still give senders something to send. */
  async #drained(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#underWay.catch(() => {}), untilAborted(signal)]);
    await Promise.all(this.#senders.map((sender) => sender.drained(signal)));
  }
}
