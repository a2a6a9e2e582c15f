/**
 * An `AbortController` that also ends when one of other signals does, and that leaves nothing on them once released:
 * `AbortSignal.any` does on some runtimes, and these signals may live as long as the program.
 */
export class LinkedAbort {
  readonly #abort = new AbortController();
  readonly #parents: readonly AbortSignal[];
  readonly #onAbort = (event: Event) => this.#abort.abort((event.target as AbortSignal).reason);

  constructor(...parents: readonly AbortSignal[]) {
    this.#parents = parents;
    for (const parent of parents) {
      if (parent.aborted) this.#abort.abort(parent.reason);
      else parent.addEventListener("abort", this.#onAbort);
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  /** Leaves the other signals. What was handed out ends no more by itself. */
  release(): void {
    for (const parent of this.#parents) parent.removeEventListener("abort", this.#onAbort);
  }
}

/**
 * As many signals as are asked for, which end when one other does. That has one listener for all of them: runtimes
 * take many listeners on one signal for a leak, and warn of it.
 */
export class AbortFan {
  readonly #parent: AbortSignal;
  readonly #aborts: AbortController[] = [];

  constructor(parent: AbortSignal) {
    this.#parent = parent;
    const endAll = () => {
      for (const abort of this.#aborts) abort.abort(parent.reason);
    };
    parent.addEventListener("abort", endAll, { once: true });
  }

  /** One more. */
  signal(): AbortSignal {
    const abort = new AbortController();
    if (this.#parent.aborted) abort.abort(this.#parent.reason);
    this.#aborts.push(abort);
    return abort.signal;
  }
}
