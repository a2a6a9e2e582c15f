import { Fifo } from "./fifo.js";
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

/** The lines of one source, in order. */
export class SourceQueue {
  readonly #lines = new Fifo<QueuedLine>();

  get length(): number {
    return this.#lines.length;
  }

  push(line: QueuedLine): void {
    this.#lines.push(line);
  }

  /** The lines from the front that fit in one batch, and one at least; they stay. C3.12. */
  batch({ maxBatchBytes, lineOverheadBytes }: BatchLimits): readonly QueuedLine[] {
    let batchBytes = 0;
    return this.#lines.takeWhile(({ bytes }, index) => {
      batchBytes += bytes + lineOverheadBytes;
      return index === 0 || batchBytes <= maxBatchBytes;
    });
  }

  /** Takes away a batch from the front. @returns the bytes that it counted. */
  remove(batch: readonly QueuedLine[]): number {
    this.#lines.remove(batch.length);
    return batch.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
