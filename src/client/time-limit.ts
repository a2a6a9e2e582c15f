import { LinkedAbort } from "./linked-abort.js";

/** A time-out and the caller's signal as one signal. Release it when what it limits is over. */
export class TimeLimit {
  /** Undefined where only the caller's signal ends it. */
  readonly timeoutMs: number | undefined;
  readonly #reason: string;
  readonly #abort: LinkedAbort;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** @param reason the text of the error with which the signal ends when the time has passed. */
  constructor(
    timeoutMs: number | undefined,
    outer?: AbortSignal,
    reason = `no answer within ${timeoutMs} ms`,
  ) {
    this.timeoutMs = timeoutMs;
    this.#reason = reason;
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
      this.#abort.abort(new Error(this.#reason));
    }, this.timeoutMs);
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#abort.release();
  }
}
