import { Latest } from "./latest.js";
import type { SharedFate, TailnetClient, Work } from "./shared-fate.js";

/**
 * A stream of states that is followed as long as somebody reads it, over all connections: one call, however many
 * readers there are.
 */
export class Followed<T> implements Work {
  readonly #follow: (tailnet: TailnetClient, signal: AbortSignal) => AsyncIterable<T>;
  readonly #fate: SharedFate;
  readonly #latest = new Latest<T>();
  readonly #onUnread: () => void;
  #readers = 0;

  /**
   * @param follow the states over one connection; throws when they end.
   * @param onUnread called when the last reader has left: this one is of no use then.
   */
  constructor(
    fate: SharedFate,
    follow: (tailnet: TailnetClient, signal: AbortSignal) => AsyncIterable<T>,
    onUnread: () => void,
  ) {
    this.#fate = fate;
    this.#follow = follow;
    this.#onUnread = onUnread;
  }

  async over(tailnet: TailnetClient, signal: AbortSignal): Promise<void> {
    for await (const state of this.#follow(tailnet, signal)) this.#latest.set(() => state);
  }

  /** The latest state, as soon as there is one, and after each change. Ends with the signal and with {@link end}. */
  async *read(signal: AbortSignal | undefined): AsyncGenerator<T, void, undefined> {
    if (signal?.aborted) return;
    this.#readers++;
    this.#fate.add(this);
    try {
      yield* this.#latest.read(signal);
    } finally {
      this.#readers--;
      if (this.#readers === 0) {
        this.#fate.remove(this);
        this.#onUnread();
      }
    }
  }

  /** @param error what readers get, if any. */
  end(error: Error | undefined): void {
    this.#latest.end(error);
  }
}
