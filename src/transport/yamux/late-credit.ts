import type { YamuxStream } from "./stream.js";

/** Credit that is not worth a frame of its own at once is given back after so long. Shorter takes processor time. */
const creditDelayMs = 4;

/** Streams that have read something, and not enough to say so at once: they say it in a moment. */
export class LateCredit {
  #streams: YamuxStream[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  add(stream: YamuxStream): void {
    stream.isInCreditList = true;
    this.#streams.push(stream);
    this.#timer ??= setTimeout(LateCredit.#isDue, creditDelayMs, this);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#streams = [];
  }

  // one function for all sessions
  static #isDue(late: LateCredit): void {
    late.#give();
  }

  #give(): void {
    this.#timer = undefined;
    const streams = this.#streams;
    this.#streams = [];
    for (const stream of streams) {
      stream.isInCreditList = false;
      stream.giveCredit();
    }
  }
}
