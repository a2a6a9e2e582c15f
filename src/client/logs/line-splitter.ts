import { sanitizedText } from "./log-text.js";

const newline = 0x0a;
const carriageReturn = 0x0d;
const defaultMaxLineBytes = 64 * 1024;
const maxCharacterBytes = 4;
const firstBufferBytes = 256;

/**
 * Bytes, cut anywhere, to lines of text: one `\r` before the `\n` goes, blank lines stay, and text after the last
 * `\n` waits for more. What is not UTF-8 becomes `❌`. The lines are the same however the bytes were cut. C3.7, C3.23.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  /** The line that is not complete. */
  #kept = new Uint8Array(0);
  #keptBytes = 0;
  /** True when what is kept goes on a line that was too long. */
  #isRest = false;

  /**
   * @param maxLineBytes a longer line is cut into several, so that what is kept has a bound; 65,536 by default.
   * @throws RangeError when a character may not fit.
   */
  constructor(maxLineBytes = defaultMaxLineBytes) {
    if (!(maxLineBytes >= maxCharacterBytes)) {
      throw new RangeError(`maxLineBytes must be ${maxCharacterBytes} or more, and not ${maxLineBytes}`);
    }
    this.#maxLineBytes = maxLineBytes;
  }

  /** @returns the lines that are complete now. The chunk may be reused afterwards. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#takeLine(chunk.subarray(start, end), lines);
      start = end + 1;
    }
    this.#keep(chunk.subarray(start), lines);
    return lines;
  }

  /** @returns the text after the last `\n`, if there is any. C3.24. */
  end(): string[] {
    if (this.#keptBytes === 0) return [];
    const last = sanitizedText(this.#kept.subarray(0, this.#keptBytes));
    this.#begin();
    return [last];
  }

  /** @param last the end of a line, without its `\n`. */
  #takeLine(last: Uint8Array, lines: string[]): void {
    // most lines are in one piece
    if (this.#keptBytes === 0 && !this.#isRest && last.length <= this.#maxLineBytes) {
      lines.push(sanitizedText(withoutReturn(last)));
      return;
    }
    this.#keep(last, lines);
    const rest = withoutReturn(this.#kept.subarray(0, this.#keptBytes));
    if (rest.length > 0 || !this.#isRest) lines.push(sanitizedText(rest));
    this.#begin();
  }

  /** Keeps bytes of a line; what is too long becomes lines. */
  #keep(bytes: Uint8Array, lines: string[]): void {
    let taken = 0;
    while (taken < bytes.length) {
      // one byte more than a line may have tells whether it ends between characters
      const room = this.#maxLineBytes + 1 - this.#keptBytes;
      const piece = bytes.subarray(taken, taken + room);
      this.#append(piece);
      taken += piece.length;
      if (this.#keptBytes > this.#maxLineBytes) lines.push(this.#cut());
    }
  }

  #append(piece: Uint8Array): void {
    const needed = this.#keptBytes + piece.length;
    if (needed > this.#kept.length) {
      const doubled = Math.max(needed, 2 * this.#kept.length, firstBufferBytes);
      const larger = new Uint8Array(Math.min(doubled, this.#maxLineBytes + 1));
      larger.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = larger;
    }
    this.#kept.set(piece, this.#keptBytes);
    this.#keptBytes = needed;
  }

  #cut(): string {
    const end = beforeContinuation(this.#kept, this.#maxLineBytes);
    const line = sanitizedText(this.#kept.subarray(0, end));
    this.#kept.copyWithin(0, end, this.#keptBytes);
    this.#keptBytes -= end;
    this.#isRest = true;
    return line;
  }

  #begin(): void {
    this.#kept = new Uint8Array(0);
    this.#keptBytes = 0;
    this.#isRest = false;
  }
}

function withoutReturn(line: Uint8Array): Uint8Array {
  return line.at(-1) === carriageReturn ? line.subarray(0, -1) : line;
}

/** Where to cut so that no character is cut, at `end` or just before. */
function beforeContinuation(bytes: Uint8Array, end: number): number {
  for (let cut = end; cut > 0 && cut > end - maxCharacterBytes; cut--) {
    if (((bytes[cut] ?? 0) & 0xc0) !== 0x80) return cut;
  }
  return end;
}
