interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** Who waits for a stream that is read and written with promises. */
export class StreamWaiters {
  #reader: Waiter | undefined;
  #writers: Waiter[] = [];

  /** Until there is something to read, or the end. @throws Error while somebody else waits for that. */
  readable(): Promise<void> {
    if (this.#reader !== undefined) throw new Error("yamux: one read at a time");
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Until all that was held back has left. */
  writable(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writers.push({ resolve, reject });
    });
  }

  wakeReader(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve();
  }

  wakeWriters(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer.resolve();
  }

  /** The stream is over. */
  fail(error: unknown): void {
    this.#reader?.reject(error);
    for (const writer of this.#writers) writer.reject(error);
    this.#reader = undefined;
    this.#writers = [];
  }
}
