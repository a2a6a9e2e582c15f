import { sanitizedText } from "./log-text.js";

const newline = 0x0a;
const carriageReturn = 0x0d;
const defaultMaxLineBytes = 64 * 1024;

/**
 * Bytes, cut anywhere, to lines of text: one `\r` before the `\n` goes, blank lines stay, and text after the last
 * `\n` waits for more. What is not UTF-8 becomes `❌`. C3.7, C3.23.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;

  /** @param maxLineBytes a longer line is cut into several, so that what is kept has a bound; 65,536 by default. */
  constructor(maxLineBytes = defaultMaxLineBytes) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** @returns the lines that are complete now. The chunk may be reused afterwards. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    while (start < chunk.length) {
      const room = this.#maxLineBytes - this.#keptBytes;
      const end = chunk.indexOf(newline, start);
      const isLine = end >= 0 && end - start <= room;
      if (isLine) {
        lines.push(this.#take(chunk.subarray(start, end), true));
        start = end + 1;
      } else if (chunk.length - start > room) {
        const cut = beforeContinuation(chunk, start, start + room);
        lines.push(this.#take(chunk.subarray(start, cut), false));
        start = cut;
      } else {
        this.#kept.push(chunk.slice(start));
        this.#keptBytes += chunk.length - start;
        start = chunk.length;
      }
    }
    return lines;
  }

  /** @returns the text after the last `\n`, if there is any. C3.24. */
  end(): string[] {
    return this.#keptBytes === 0 ? [] : [this.#take(new Uint8Array(0), false)];
  }

  #take(last: Uint8Array, isLine: boolean): string {
    let line = last;
    if (this.#keptBytes > 0) {
      line = new Uint8Array(this.#keptBytes + last.length);
      let at = 0;
      for (const piece of [...this.#kept, last]) {
        line.set(piece, at);
        at += piece.length;
      }
      this.#kept.length = 0;
      this.#keptBytes = 0;
    }
    const length = isLine && line.at(-1) === carriageReturn ? line.length - 1 : line.length;
    return sanitizedText(line.subarray(0, length));
  }
}

/** Where to cut so that no character is cut, at `end` or just before. */
function beforeContinuation(bytes: Uint8Array, start: number, end: number): number {
  for (let cut = end; cut > start && cut > end - 4; cut--) {
    if (((bytes[cut] ?? 0) & 0xc0) !== 0x80) return cut;
  }
  return end;
}
