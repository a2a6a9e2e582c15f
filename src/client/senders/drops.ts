/** How many things a sender has given up, by reason. */
export type DropCounts = Readonly<Record<string, number>>;

/** Counts what is given up. */
export class Drops {
  readonly #byReason: Record<string, number> = {};

  get byReason(): DropCounts {
    return { ...this.#byReason };
  }

  get total(): number {
    return Object.values(this.#byReason).reduce((sum, count) => sum + count, 0);
  }

  /** @param reason a short word for it, such as `queue_full`. */
  count(reason: string, howMany = 1): void {
    if (howMany > 0) this.#byReason[reason] = (this.#byReason[reason] ?? 0) + howMany;
  }
}
