/**
 * Streams that last as long as their connections. A server that closes ends them, and then waits for the calls that
 * end by themselves.
 */
export class LastingStreams {
  readonly #ends = new Set<() => void>();
  #isOver = false;

  /**
   * Has a stream ended by {@link end}; at once when that has been.
   * @returns what to call when it has ended by itself.
   */
  add(end: () => void): () => void {
    if (this.#isOver) end();
    else this.#ends.add(end);
    return () => this.#ends.delete(end);
  }

  /**
   * Runs a stream with a signal that ends with the call's, and with {@link end}.
   * @param run makes the answers; it is over when the signal ends.
   */
  async *within<T>(
    callSignal: AbortSignal,
    run: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, void> {
    const over = new AbortController();
    const end = () => over.abort(callSignal.reason);
    const leave = this.add(end);
    callSignal.addEventListener("abort", end, { once: true });
    if (callSignal.aborted) end();
    try {
      yield* run(over.signal);
    } finally {
      callSignal.removeEventListener("abort", end);
      leave();
    }
  }

  /** Ends those that are there, and those that come. */
  end(): void {
    this.#isOver = true;
    for (const end of [...this.#ends]) end();
    this.#ends.clear();
  }
}
