/** What leaves the front of the array once it is worth moving the rest. */
const minRemoved = 1024;

/** First in, first out. Taking from the front costs the same however many there are, unlike with arrays and maps. */
export class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get first(): T | undefined {
    return this.#items[this.#first];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The items as long as they are accepted, from the front; they stay. */
  takeWhile(accepts: (item: T, index: number) => boolean): T[] {
    let end = this.#first;
    for (; end < this.#items.length; end++) {
      if (!accepts(this.#items[end] as T, end - this.#first)) break;
    }
    return this.#items.slice(this.#first, end);
  }

  /** Takes so many off the front. */
  remove(count: number): void {
    this.#first = Math.min(this.#first + count, this.#items.length);
    const isHalf = this.#first >= minRemoved && this.#first * 2 >= this.#items.length;
    if (!isHalf && this.length > 0) return;
    this.#items = this.#items.slice(this.#first);
    this.#first = 0;
  }
}
