/** What stands in a {@link LinkedRow}. */
export interface Linked<Self> {
  before: Self | undefined;
  behind: Self | undefined;
}

/**
 * A row whose members know their neighbours: to come and to leave cost the same however many there are. Sets and maps
 * get slow where much was taken from their front, and their inner tables keep alive what has long left.
 */
export class LinkedRow<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;
  #length = 0;

  get first(): T | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  /** Puts one at the end that is in no row. */
  append(member: T): void {
    member.before = this.#last;
    if (this.#last === undefined) this.#first = member;
    else this.#last.behind = member;
    this.#last = member;
    this.#length++;
  }

  /** Only for one that is in this row. */
  remove(member: T): void {
    if (member.before === undefined) this.#first = member.behind;
    else member.before.behind = member.behind;
    if (member.behind === undefined) this.#last = member.before;
    else member.behind.before = member.before;
    // what has left must not lead to those who come later: they would live as long as it
    member.before = undefined;
    member.behind = undefined;
    this.#length--;
  }
}
