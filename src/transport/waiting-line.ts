interface Place<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Callers that wait for something, served in order. Each may leave by its signal; none stays for ever. */
export class WaitingLine<T> {
  readonly #places = new Set<Place<T>>();

  get length(): number {
    return this.#places.size;
  }

  /** Waits for a turn. Rejects with the signal's reason, or with what {@link rejectAll} is given. */
  wait(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#places.delete(place);
        reject(signal?.reason);
      };
      const place: Place<T> = {
        resolve(value) {
          signal?.removeEventListener("abort", leave);
          resolve(value);
        },
        reject(error) {
          signal?.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#places.add(place);
    });
  }

  /** Serves the first in the line. @returns false when nobody waits. */
  serve(value: T): boolean {
    for (const place of this.#places) {
      this.#places.delete(place);
      place.resolve(value);
      return true;
    }
    return false;
  }

  rejectAll(error: unknown): void {
    const places = [...this.#places];
    this.#places.clear();
    for (const place of places) place.reject(error);
  }
}
