/** How a {@link Batch} behaves. */
export interface BatchOptions<T> {
  /** Entries that may wait; more are dropped. */
  maxWaiting: number;
  /** So many are handed over at once, without waiting for the time. */
  fullAt: number;
  /** Otherwise they are handed over so often. */
  intervalMs: number;
  /** Entries with the same key are one: the later. By default each is by itself. */
  keyOf?(entry: T): string;
  /** Whether an entry replaces one with the same key that waits; by default it does. */
  replaces?(entry: T, waiting: T): boolean;
  /** Takes them. What it throws is told to `onLost`. */
  flush(entries: readonly T[], reason: FlushReason): Promise<void>;
  /** Told of entries that are lost: they did not fit, or the flush failed. */
  onLost?(count: number, error?: unknown): void;
}

/** Why a batch is handed over. */
export type FlushReason = "capacity" | "scheduled" | "shutdown";

/**
 * Collects entries that need not be stored at once, and hands them over together: when there are many, and after a
 * time. What waits is lost with the process; what cannot be stored is lost too, so that nothing piles up.
 */
export class Batch<T> {
  readonly #options: BatchOptions<T>;
  #waiting = new Map<string | symbol, T>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: BatchOptions<T>) {
    this.#options = options;
  }

  /** Entries that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** @returns false when there is no room. */
  add(entry: T): boolean {
    const { maxWaiting, fullAt, keyOf, replaces, onLost } = this.#options;
    const key = keyOf?.(entry) ?? Symbol();
    const before = this.#waiting.get(key);
    if (before !== undefined) {
      if (replaces?.(entry, before) ?? true) this.#waiting.set(key, entry);
      return true;
    }
    if (this.#isClosed || this.#waiting.size >= maxWaiting) {
      onLost?.(1);
      return false;
    }
    this.#waiting.set(key, entry);
    if (this.#waiting.size >= fullAt) void this.#flush("capacity");
    else this.#schedule();
    return true;
  }

  /** Hands over what waits, and waits for it. */
  async flush(reason: FlushReason = "scheduled"): Promise<void> {
    await this.#flush(reason);
    // those that came meanwhile
    if (this.#waiting.size > 0) await this.#flush(reason);
  }

  /**
   * Hands over what waits and takes no more.
   * @param timeoutMs what is not stored by then is given up.
   */
  async close(timeoutMs = 15_000): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const givenUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.flush("shutdown"), givenUp]);
    clearTimeout(timer);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.#flush("scheduled"), this.#options.intervalMs);
  }

  /** One at a time. Resolves when the entries that wait now have been handed over. */
  #flush(reason: FlushReason): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#flushing !== undefined) return this.#flushing.then(() => undefined);
    if (this.#waiting.size === 0) return Promise.resolve();
    const entries = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#flushing = this.#handOver(entries, reason).finally(() => {
      this.#flushing = undefined;
      if (this.#waiting.size >= this.#options.fullAt) void this.#flush("capacity");
      else if (this.#waiting.size > 0 && !this.#isClosed) this.#schedule();
    });
    return this.#flushing;
  }

  async #handOver(entries: readonly T[], reason: FlushReason): Promise<void> {
    try {
      await this.#options.flush(entries, reason);
    } catch (error) {
      this.#options.onLost?.(entries.length, error);
    }
  }
}
