import { LinkedAbort } from "../linked-abort.js";

/** A time-out and the caller's signal as one signal. Release it when what it limits is over. */
export class TimeLimit {
  /** Undefined where only the caller's signal ends it. */
  readonly timeoutMs: number | undefined;
  readonly #abort: LinkedAbort;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(timeoutMs: number | undefined, outer?: AbortSignal) {
    this.timeoutMs = timeoutMs;
    this.#abort = new LinkedAbort(...(outer === undefined ? [] : [outer]));
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True when the time has passed; false when the caller has ended it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Counts the time anew. */
  restart(): void {
    clearTimeout(this.#timer);
    if (this.timeoutMs === undefined || this.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#abort.abort(new Error(`no answer within ${this.timeoutMs} ms`));
    }, this.timeoutMs);
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#abort.release();
  }
}
