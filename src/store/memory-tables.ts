/** Things by id, and those of an owner in the order in which they were put. */
export class Table<T extends { id: string }> {
  readonly #rows = new Map<string, T>();

  get(id: string): T | undefined {
    return this.#rows.get(id);
  }

  put(row: T): void {
    this.#rows.set(row.id, row);
  }

  /** Changes a row; one that is not there stays away. */
  update(id: string, change: Partial<T>): void {
    const row = this.#rows.get(id);
    if (row !== undefined) this.#rows.set(id, { ...row, ...change });
  }

  delete(id: string): void {
    this.#rows.delete(id);
  }

  find(matches: (row: T) => boolean): T | undefined {
    for (const row of this.#rows.values()) if (matches(row)) return row;
    return undefined;
  }

  filter(matches: (row: T) => boolean): T[] {
    return [...this.#rows.values()].filter(matches);
  }
}

/** The last entries of each owner; older ones are forgotten, so that memory does not grow for ever. */
export class History<T> {
  readonly #limit: number;
  readonly #byOwner = new Map<string, T[]>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(owner: string, entry: T): void {
    const entries = this.#byOwner.get(owner) ?? [];
    entries.push(entry);
    // not at each entry, for moving them all costs
    if (entries.length > 2 * this.#limit) entries.splice(0, entries.length - this.#limit);
    this.#byOwner.set(owner, entries);
  }

  /** The latest entries, oldest first. */
  of(owner: string): readonly T[] {
    return (this.#byOwner.get(owner) ?? []).slice(-this.#limit);
  }

  delete(owner: string): void {
    this.#byOwner.delete(owner);
  }
}

/** The row id of an agent's metadata key. */
export function metadataId(agentId: string, key: string): string {
  return `${agentId} ${key}`;
}
