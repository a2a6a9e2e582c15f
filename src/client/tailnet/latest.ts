import { WaitingLine } from "../../transport/waiting-line.js";

/**
 * The latest state of something, for any number of readers. Nothing is queued: who reads slower than it changes gets
 * the state that there is then.
 */
export class Latest<T> {
  #make: (() => T) | undefined;
  #made: { state: T } | undefined;
  #version = 0;
  #end: { error: Error | undefined } | undefined;
  readonly #waiting = new WaitingLine<void>();

  /** @param make gives the state when the first reader asks for it, once; what it gives must not change later. */
  set(make: () => T): void {
    if (this.#end !== undefined) return;
    this.#make = make;
    this.#made = undefined;
    this.#version++;
    this.#waiting.serveAll();
  }

  /** Nothing comes any more. @param error what readers get once they have the last state. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#waiting.serveAll();
  }

  /**
   * The present state, as soon as there is one, and then the latest after each change. Ends with the signal.
   * @throws why it ended, where that was an error.
   */
  async *read(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    let seen = 0;
    for (;;) {
      if (signal?.aborted) return;
      const make = this.#make;
      if (make !== undefined && this.#version !== seen) {
        seen = this.#version;
        this.#made ??= { state: make() };
        yield this.#made.state;
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else await this.#waiting.wait(signal).catch(() => {});
    }
  }
}
