import type { DatedLine } from "./log-line.js";

/** A line that waits to be sent. */
export interface QueuedLine extends DatedLine {
  /** What it counts in the bound of the queue. */
  bytes: number;
}

/** How much one batch may have. */
export interface BatchLimits {
  maxBatchBytes: number;
  /** What a line costs in a batch besides its {@link QueuedLine.bytes}. */
  lineOverheadBytes: number;
}

/** What leaves the front of the array once it is worth moving the rest. */
const minRemoved = 1024;

/** The lines of one source, in order. */
export class SourceQueue {
  #lines: QueuedLine[] = [];
  #first = 0;

  get length(): number {
    return this.#lines.length - this.#first;
  }

  push(line: QueuedLine): void {
    this.#lines.push(line);
  }

  /** The lines from the front that fit in one batch, and one at least; they stay. C3.12. */
  batch({ maxBatchBytes, lineOverheadBytes }: BatchLimits): readonly QueuedLine[] {
    let bytes = 0;
    let end = this.#first;
    for (; end < this.#lines.length; end++) {
      bytes += (this.#lines[end]?.bytes ?? 0) + lineOverheadBytes;
      if (bytes > maxBatchBytes && end > this.#first) break;
    }
    return this.#lines.slice(this.#first, end);
  }

  /** Takes lines off the front. @returns the bytes that they counted. */
  remove(count: number): number {
    const end = Math.min(this.#first + count, this.#lines.length);
    let bytes = 0;
    for (let i = this.#first; i < end; i++) bytes += this.#lines[i]?.bytes ?? 0;
    this.#first = end;
    const isHalf = this.#first >= minRemoved && this.#first * 2 >= this.#lines.length;
    if (isHalf || this.length === 0) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
    return bytes;
  }
}
