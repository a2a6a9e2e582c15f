import { asError } from "../../rpc/error-text.js";
import { LinkedAbort } from "../linked-abort.js";
import { pause } from "../pause.js";
import type { AgentClient, Sender } from "../senders/sender.js";
import { TimeLimit } from "../time-limit.js";
import { unlessAborted, untilAborted } from "../until-aborted.js";
import { withinMs } from "../within-ms.js";
import { Backoff } from "./backoff.js";
import { FinalAnswers } from "./final-answers.js";
import { SenderRun } from "./sender-run.js";
import { SessionClosing } from "./session-closing.js";
import type { SessionEnd, SessionOptionsOver, SessionOver } from "./session-options.js";
import { type SessionState, StateFeed, unsentOf } from "./states.js";

const defaultCloseTimeoutMs = 5000;
/** What does not end with its signal is not waited for any longer. */
const routineEndMs = 5000;
const closingWaitMs = 500;
/** When the time for closing is over, what has been told to end has so long to do it. */
const lastTurnMs = 250;

/** Begins a session of an agent that dials with a function. */
export function sessionWith<C extends AgentsConnection>(
  dial: (signal: AbortSignal) => Promise<C>,
  options: SessionOptionsOver<C>,
): SessionOver<C> {
  const { senders = [], onConnected, backoff, signal } = options;
  return new Session({
    dial,
    onConnected: onConnected?.bind(options),
    senders,
    // senders do without what an older version does not have
    agentOf: ({ agent }) => agent as AgentClient,
    backoff: new Backoff(backoff),
    finalAnswers: new FinalAnswers(options),
    signal,
  });
}

/** What a session is made of, whatever its connections are. */
export interface SessionInit<C extends LiveConnection> {
  dial(signal: AbortSignal): Promise<C>;
  onConnected: ((connection: C, signal: AbortSignal) => void | Promise<void>) | undefined;
  senders: readonly Sender[];
  /** What senders send over. */
  agentOf(connection: C): AgentClient;
  backoff: Backoff;
  /** Which failed attempts are the last. */
  finalAnswers: Pick<FinalAnswers, "connected" | "isFinal">;
  signal: AbortSignal | undefined;
}

/** What a session needs of a connection. */
export interface LiveConnection {
  readonly closed: Promise<Error>;
  close(options?: { timeoutMs?: number }): Promise<void>;
}

/** What a session of an agent needs of a connection. */
export interface AgentsConnection extends LiveConnection {
  /** A client of the agent service, of any version. */
  readonly agent: object;
}

/** Dials, uses the connection, and when it is lost dials again. */
export class Session<C extends LiveConnection> implements SessionOver<C> {
  readonly ended: Promise<SessionEnd>;
  readonly #init: SessionInit<C>;
  readonly #senders: readonly SenderRun[];
  readonly #states = new StateFeed<SessionState<C>>({ kind: "dialling", attempt: 1 });
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

  constructor(init: SessionInit<C>) {
    this.#init = init;
    this.#senders = init.senders.map((sender) => new SenderRun(sender));
    this.#hard = new LinkedAbort(...(init.signal === undefined ? [] : [init.signal]));
    this.ended = this.#run();
  }

  get state(): SessionState<C> {
    return this.#states.present;
  }

  states(signal?: AbortSignal): AsyncIterableIterator<SessionState<C>> {
    return this.#states.read(signal);
  }

  async connected(signal?: AbortSignal): Promise<C> {
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
        waitMs = this.#init.backoff.nextAfter(performance.now() - begin);
        // an end while it closes is the end
        if (this.#closing.signal.aborted) return undefined;
      } catch (error) {
        lost = asError(error);
        if (!signal.aborted && this.#init.finalAnswers.isFinal(error)) return lost;
        waitMs = this.#init.backoff.next();
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
  async #dialled(signal: AbortSignal): Promise<C> {
    const dial = this.#init.dial(signal);
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
  async #live(connection: C): Promise<Error> {
    this.#init.finalAnswers.connected();
    const scope = new LinkedAbort(this.#hard.signal);
    const inUse = new LinkedAbort(scope.signal, this.#closing.signal);
    this.#giveUp = (reason) => scope.abort(reason);
    void connection.closed.then((reason) => scope.abort(reason));
    this.#underWay = this.#runConnected(connection, inUse.signal);
    const routines = [
      this.#underWay,
      ...this.#senders.map((sender) => sender.over(this.#init.agentOf(connection), scope.branch())),
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

  async #runConnected(connection: C, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      await this.#init.onConnected?.(connection, signal);
    } catch (error) {
      // what ends because it was told to has not failed
      if (!signal.aborted) throw error;
    }
  }

  async #close(timeoutMs: number): Promise<SessionEnd> {
    this.#closeDeadlineMs = performance.now() + timeoutMs;
    const limit = new TimeLimit(timeoutMs, this.#hard.signal, "the time for closing is over");
    this.#closing.abort(new SessionClosing());
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
