/**
 * An `AbortController` that also ends when one of other signals does, and that leaves nothing on them once released:
 * `AbortSignal.any` does on some runtimes, and these signals may live as long as the program.
 */
export class LinkedAbort {
  readonly #abort = new AbortController();
  readonly #parents: readonly AbortSignal[];
  readonly #branches: AbortController[] = [];
  readonly #onAbort = (event: Event) => this.abort((event.target as AbortSignal).reason);

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

  /** A signal that ends with this one: some runtimes warn of many listeners on one signal. */
  branch(): AbortSignal {
    const branch = new AbortController();
    if (this.signal.aborted) branch.abort(this.signal.reason);
    else this.#branches.push(branch);
    return branch.signal;
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
    for (const branch of this.#branches.splice(0)) branch.abort(reason);
  }

  /** Leaves the other signals. What was handed out ends no more by itself. */
  release(): void {
    for (const parent of this.#parents) parent.removeEventListener("abort", this.#onAbort);
  }
}
