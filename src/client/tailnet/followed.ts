import { asError } from "../../rpc/error-text.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { Latest } from "./latest.js";
import type { SharedFate, TailnetClient, Work } from "./shared-fate.js";

/** What is followed. */
export interface Following<T> {
  /** The states over one connection; throws when they end. */
  over(tailnet: TailnetClient, signal: AbortSignal): AsyncIterable<T>;
  /** Whether it ended with an error that no further connection would mend. */
  isFinal(error: unknown): boolean;
  /** Told once it is of no use any more: the last reader has left, or it has ended. */
  onOver(): void;
}

/**
 * A stream of states that is followed as long as somebody reads it, over all connections: one call, however many
 * readers there are.
 */
export class Followed<T> implements Work {
  readonly #following: Following<T>;
  readonly #fate: SharedFate;
  readonly #latest = new Latest<T>();
  readonly #waitingForState = new WaitingLine<void>();
  #readers = 0;
  #isUpToDate = false;
  #isOver = false;

  constructor(fate: SharedFate, following: Following<T>) {
    this.#fate = fate;
    this.#following = following;
  }

  async over(tailnet: TailnetClient, signal: AbortSignal): Promise<void> {
    this.#isUpToDate = false;
    try {
      for await (const state of this.#following.over(tailnet, signal)) this.#have(state);
    } catch (error) {
      if (signal.aborted || !this.#following.isFinal(error)) throw error;
      this.end(asError(error));
    }
  }

  /** Resolves when there has been a state over the present connection, or none will be. @throws the signal's reason. */
  async upToDate(signal: AbortSignal): Promise<void> {
    if (!this.#isUpToDate && !this.#isOver) await this.#waitingForState.wait(signal);
  }

  /** The latest state, as soon as there is one, and after each change. Ends with the signal and with {@link end}. */
  async *read(signal: AbortSignal | undefined): AsyncGenerator<T, void, undefined> {
    this.#readers++;
    if (!this.#isOver) this.#fate.add(this);
    try {
      yield* this.#latest.read(signal);
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#leave();
    }
  }

  /** @param error what readers get, if any. */
  end(error: Error | undefined): void {
    this.#latest.end(error);
    this.#leave();
  }

  #have(state: T): void {
    this.#latest.set(() => state);
    this.#isUpToDate = true;
    this.#waitingForState.serveAll();
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waitingForState.serveAll();
    this.#fate.remove(this);
    this.#following.onOver();
  }
}
