interface Place<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
  before: Place<T> | undefined;
  behind: Place<T> | undefined;
}

/**
 * Callers that wait for something, served in order. Each may leave by its signal; none stays for ever. To come, to be
 * served and to leave cost the same however many wait: sets and maps get slow where much was taken from their front.
 */
export class WaitingLine<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Waits for a turn. Rejects with the signal's reason, or with what {@link rejectAll} is given. */
  wait(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#remove(place);
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
        before: undefined,
        behind: undefined,
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#append(place);
    });
  }

  /** Serves the first in the line. @returns false when nobody waits. */
  serve(value: T): boolean {
    const place = this.#first;
    if (place === undefined) return false;
    this.#remove(place);
    place.resolve(value);
    return true;
  }

  /** Serves all who wait, in order. */
  serveAll(value: T): void {
    while (this.serve(value));
  }

  rejectAll(error: unknown): void {
    for (let place = this.#first; place !== undefined; place = this.#first) {
      this.#remove(place);
      place.reject(error);
    }
  }

  #append(place: Place<T>): void {
    place.before = this.#last;
    if (this.#last === undefined) this.#first = place;
    else this.#last.behind = place;
    this.#last = place;
    this.#length++;
  }

  /** Only for a place that is in the line. */
  #remove(place: Place<T>): void {
    if (place.before === undefined) this.#first = place.behind;
    else place.before.behind = place.behind;
    if (place.behind === undefined) this.#last = place.before;
    else place.behind.before = place.before;
    // what has left must not lead to those who come later: they would live as long as it
    place.before = undefined;
    place.behind = undefined;
    this.#length--;
  }
}
