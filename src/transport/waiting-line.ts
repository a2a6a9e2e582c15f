import { type Linked, LinkedRow } from "./linked-row.js";

interface Place<T> extends Linked<Place<T>> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Callers that wait for something, served in order. Each may leave by its signal; none stays for ever. */
export class WaitingLine<T> {
  readonly #places = new LinkedRow<Place<T>>();

  get length(): number {
    return this.#places.length;
  }

  /** Waits for a turn. Rejects with the signal's reason, or with what {@link rejectAll} is given. */
  wait(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#places.remove(place);
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
      this.#places.append(place);
    });
  }

  /** Serves the first in the line. @returns false when nobody waits. */
  serve(value: T): boolean {
    const place = this.#places.first;
    if (place === undefined) return false;
    this.#places.remove(place);
    place.resolve(value);
    return true;
  }

  /** Serves all who wait, in order. */
  serveAll(value: T): void {
    while (this.serve(value));
  }

  rejectAll(error: unknown): void {
    for (let place = this.#places.first; place !== undefined; place = this.#places.first) {
      this.#places.remove(place);
      place.reject(error);
    }
  }
}
