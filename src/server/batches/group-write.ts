interface Waiting<T> {
  entry: T;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Writes of many callers in one: each caller waits for its own, and they share the trip. One trip is under way at a
 * time; what comes meanwhile goes with the next.
 */
export class GroupWrite<T> {
  readonly #write: (entries: readonly T[]) => Promise<void>;
  #waiting: Waiting<T>[] = [];
  #isUnderWay = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param write stores entries, in their order. */
  constructor(write: (entries: readonly T[]) => Promise<void>) {
    this.#write = write;
  }

  /**
   * @param withinMs how long it may wait for company; 0 by default: only for the trip that is under way.
   * @returns when it is stored. Rejects when it is not.
   */
  add(entry: T, withinMs = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      if (withinMs > 0) this.#timer ??= setTimeout(() => this.#go(), withinMs);
      else queueMicrotask(() => this.#go());
    });
  }

  #go(): void {
    if (this.#isUnderWay || this.#waiting.length === 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isUnderWay = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#write(waiting.map(({ entry }) => entry))
      .then(
        () => {
          for (const { resolve } of waiting) resolve();
        },
        (error: unknown) => {
          for (const { reject } of waiting) reject(error);
        },
      )
      .finally(() => {
        this.#isUnderWay = false;
        this.#go();
      });
  }
}
