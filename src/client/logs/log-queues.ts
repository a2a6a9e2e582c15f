import { Fifo } from "./fifo.js";
import { type BatchLimits, type QueuedLine, SourceQueue } from "./source-queue.js";

/** The queue of a log source, and when its turn is. */
export interface Turn {
  readonly source: string;
  readonly queue: SourceQueue;
  /** From then on it is due: since it was made, or so long after its last batch. */
  dueAtMs: number;
  isFlushed: boolean;
}

/** What {@link LogQueues} goes by. */
export interface LogQueuesOptions extends BatchLimits {
  /** So long after its last batch a queue is due again. */
  flushIntervalMs: number;
  /** A clock that only goes forward. */
  nowMs: () => number;
}

/**
 * One queue for each source that has lines, and whose turn it is: C3.9–C3.12, C3.15. A new queue, and one that is
 * flushed, is due at once; one that was not emptied by its last batch is due after the interval. When any is due the
 * one with the oldest last batch is sent, new ones first. That alone would let sources whose queues are new again and
 * again keep one that is not from its turn for ever: so one that was due before a new one was made goes before it.
 */
export class LogQueues {
  readonly #options: LogQueuesOptions;
  readonly #turns = new Map<string, Turn>();
  /** Never sent from, oldest first. */
  #fresh = new Fifo<Turn>();
  /** Sent from and not empty then; the one whose last batch is longest ago first. */
  #later = new Fifo<Turn>();
  #flushed = 0;
  #lines = 0;
  #bytes = 0;

  constructor(options: LogQueuesOptions) {
    this.#options = options;
  }

  /** Lines of all sources. */
  get lines(): number {
    return this.#lines;
  }

  /** Bytes of the lines of all sources. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns true when the source had no lines: its queue is due now. */
  add(source: string, line: QueuedLine): boolean {
    let turn = this.#turns.get(source);
    const isNew = turn === undefined;
    if (turn === undefined) {
      turn = { source, queue: new SourceQueue(), dueAtMs: this.#options.nowMs(), isFlushed: false };
      this.#turns.set(source, turn);
      this.#fresh.push(turn);
    }
    turn.queue.push(line);
    this.#lines++;
    this.#bytes += line.bytes;
    return isNew;
  }

  /** Makes the queue of a source due now; nothing for a source without lines. C3.9. */
  flush(source: string): void {
    const turn = this.#turns.get(source);
    if (turn !== undefined) this.#setFlushed(turn, true);
  }

  /** The queue to send from now. @param isPressed true when it need not be due. */
  next(isPressed = false): Turn | undefined {
    const fresh = this.#fresh.first;
    const later = this.#later.first;
    if (fresh === undefined && !isPressed && this.dueInMs() > 0) return undefined;
    if (fresh === undefined || later === undefined) return fresh ?? later;
    return later.dueAtMs < fresh.dueAtMs ? later : fresh;
  }

  /** How long until a queue is due by itself; infinite when there is none. */
  dueInMs(): number {
    if (this.#fresh.length > 0 || this.#flushed > 0) return 0;
    const later = this.#later.first;
    return later === undefined ? Number.POSITIVE_INFINITY : later.dueAtMs - this.#options.nowMs();
  }

  /** Begins a batch: what was flushed is not any more. The lines stay until they are {@link sent}. C3.21. */
  begin(turn: Turn): readonly QueuedLine[] {
    this.#setFlushed(turn, false);
    return turn.queue.batch(this.#options);
  }

  /** Takes lines away that have arrived; those of the batch that was begun last. C3.15. */
  sent(turn: Turn, batch: readonly QueuedLine[]): void {
    this.#bytes -= turn.queue.remove(batch);
    this.#lines -= batch.length;
    // it is the first of one of them, as others are added behind it
    (this.#fresh.first === turn ? this.#fresh : this.#later).remove(1);
    if (turn.queue.length === 0) {
      this.#setFlushed(turn, false);
      this.#turns.delete(turn.source);
      return;
    }
    turn.dueAtMs = this.#options.nowMs() + this.#options.flushIntervalMs;
    this.#later.push(turn);
  }

  /** Takes everything away. @returns how many lines that were. */
  clear(): number {
    const lines = this.#lines;
    this.#turns.clear();
    this.#fresh = new Fifo();
    this.#later = new Fifo();
    this.#flushed = 0;
    this.#lines = 0;
    this.#bytes = 0;
    return lines;
  }

  #setFlushed(turn: Turn, isFlushed: boolean): void {
    if (turn.isFlushed === isFlushed) return;
    turn.isFlushed = isFlushed;
    this.#flushed += isFlushed ? 1 : -1;
  }
}
