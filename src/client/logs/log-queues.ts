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
  /** Never sent from, oldest first. */
  readonly #fresh = new Map<string, Turn>();
  /** Sent from and not empty then; the one whose last batch is longest ago first. */
  readonly #later = new Map<string, Turn>();
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
    let turn = this.#turnOf(source);
    const isNew = turn === undefined;
    if (turn === undefined) {
      turn = { source, queue: new SourceQueue(), dueAtMs: this.#options.nowMs(), isFlushed: false };
      this.#fresh.set(source, turn);
    }
    turn.queue.push(line);
    this.#lines++;
    this.#bytes += line.bytes;
    return isNew;
  }

  /** Makes the queue of a source due now; nothing for a source without lines. C3.9. */
  flush(source: string): void {
    const turn = this.#turnOf(source);
    if (turn !== undefined) this.#setFlushed(turn, true);
  }

  /** The queue to send from now. @param isPressed true when it need not be due. */
  next(isPressed = false): Turn | undefined {
    const fresh = firstOf(this.#fresh);
    const later = firstOf(this.#later);
    if (fresh === undefined && !isPressed && this.dueInMs() > 0) return undefined;
    if (fresh === undefined || later === undefined) return fresh ?? later;
    return later.dueAtMs < fresh.dueAtMs ? later : fresh;
  }

  /** How long until a queue is due by itself; infinite when there is none. */
  dueInMs(): number {
    if (this.#fresh.size > 0 || this.#flushed > 0) return 0;
    const later = firstOf(this.#later);
    return later === undefined ? Number.POSITIVE_INFINITY : later.dueAtMs - this.#options.nowMs();
  }

  /** Begins a batch: what was flushed is not any more. The lines stay until they are {@link sent}. C3.21. */
  begin(turn: Turn): readonly QueuedLine[] {
    this.#setFlushed(turn, false);
    return turn.queue.batch(this.#options);
  }

  /** Takes lines away that have arrived. C3.15. */
  sent(turn: Turn, count: number): void {
    const { source, queue } = turn;
    const before = queue.length;
    this.#bytes -= queue.remove(count);
    this.#lines -= before - queue.length;
    this.#fresh.delete(source);
    this.#later.delete(source);
    if (queue.length === 0) {
      this.#setFlushed(turn, false);
      return;
    }
    turn.dueAtMs = this.#options.nowMs() + this.#options.flushIntervalMs;
    this.#later.set(source, turn);
  }

  /** Takes everything away. @returns how many lines that were. */
  clear(): number {
    const lines = this.#lines;
    this.#fresh.clear();
    this.#later.clear();
    this.#flushed = 0;
    this.#lines = 0;
    this.#bytes = 0;
    return lines;
  }

  #turnOf(source: string): Turn | undefined {
    return this.#fresh.get(source) ?? this.#later.get(source);
  }

  #setFlushed(turn: Turn, isFlushed: boolean): void {
    if (turn.isFlushed === isFlushed) return;
    turn.isFlushed = isFlushed;
    this.#flushed += isFlushed ? 1 : -1;
  }
}

function firstOf(turns: ReadonlyMap<string, Turn>): Turn | undefined {
  for (const turn of turns.values()) return turn;
  return undefined;
}
