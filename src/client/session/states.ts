import { WaitingLine } from "../../transport/waiting-line.js";
import type { AgentConnection } from "../dial/agent-connection.js";

/** What a sender had accepted and could not send. */
export interface Unsent {
  /** Its name, such as `logs`. */
  sender: string;
  /** How many things. */
  count: number;
}

/** What senders still have. */
export function unsentOf(senders: readonly { name: string; pending: number }[]): Unsent[] {
  return senders
    .filter(({ pending }) => pending > 0)
    .map(({ name, pending }) => ({ sender: name, count: pending }));
}

/** Where a session is. */
export type SessionState<C = AgentConnection> =
  /** It dials; `attempt` counts from 1, and from 1 again after each connection. */
  | { kind: "dialling"; attempt: number }
  | { kind: "connected"; connection: C }
  /** There is no connection any more, or none yet; the next attempt comes after `retryInMs`. */
  | { kind: "lost"; error: Error; retryInMs: number }
  /** It is over. `error` is why, unless it was closed. */
  | { kind: "stopped"; error: Error | undefined; unsent: readonly Unsent[] };

/** A reader that is further behind misses the oldest states. */
const maxBehind = 64;

/** The present state, and the changes for any number of readers. */
export class StateFeed<T> {
  #present: T;
  #isOver = false;
  readonly #readers = new Set<{ states: T[]; waiting: WaitingLine<void> }>();

  constructor(first: T) {
    this.#present = first;
  }

  get present(): T {
    return this.#present;
  }

  /** @param isLast nothing comes after it. */
  set(state: T, isLast = false): void {
    this.#present = state;
    this.#isOver = isLast;
    for (const { states, waiting } of this.#readers) {
      states.push(state);
      if (states.length > maxBehind) states.shift();
      waiting.serve();
    }
  }

  /** The present state, then each change; ends after the last, or with the signal. */
  async *read(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    const reader = { states: [this.#present], waiting: new WaitingLine<void>() };
    this.#readers.add(reader);
    try {
      for (;;) {
        if (signal?.aborted) return;
        const state = reader.states.shift();
        if (state !== undefined) yield state;
        else if (this.#isOver) return;
        else await reader.waiting.wait(signal).catch(() => {});
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}
