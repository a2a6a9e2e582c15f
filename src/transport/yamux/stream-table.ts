/** What the table needs to know of a stream. */
interface Numbered {
  readonly id: number;
}

const firstSlots = 8;
/** 2 to the 32nd by the golden ratio: spreads ids that follow each other, which would else be one long run of slots. */
const spread = 0x9e3779b1;

/**
 * The open streams of a session by their ids: open addressing with linear probing, at most half full. It grows by
 * itself, and shrinks when told to {@link trim}.
 *
 * Not a `Map`, of which streams that come and go make a new inner table every few calls: V8 has each old table point to
 * its successor, so that once one has grown old, all later ones and the streams in them live until the next full
 * garbage collection. Under load that doubles the cost of a call.
 */
export class StreamTable<T extends Numbered> {
  #slots: (T | undefined)[] = [];
  #size = 0;
  #mostSinceTrim = 0;
  /** For a slot, so many bits of a spread id are dropped. */
  #shift = 32;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    const slots = this.#slots;
    if (slots.length === 0) return undefined;
    const mask = slots.length - 1;
    for (let at = this.#placeOf(id); ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  has(id: number): boolean {
    return this.get(id) !== undefined;
  }

  /** Adds a stream whose id is not in the table. */
  add(stream: T): void {
    if (this.#size * 2 >= this.#slots.length) this.#resize(Math.max(firstSlots, this.#slots.length * 2));
    this.#put(stream);
    this.#size++;
    if (this.#size > this.#mostSinceTrim) this.#mostSinceTrim = this.#size;
  }

  /** @returns false when the stream was not in the table. */
  delete(stream: T): boolean {
    const slots = this.#slots;
    if (slots.length === 0) return false;
    const mask = slots.length - 1;
    let at = this.#placeOf(stream.id);
    for (;;) {
      const found = slots[at];
      if (found === undefined) return false;
      if (found === stream) break;
      at = (at + 1) & mask;
    }
    this.#close(at);
    this.#size--;
    return true;
  }

  /** Gives back memory that has not been needed since the last call. */
  trim(): void {
    const needed = this.#mostSinceTrim * 4;
    this.#mostSinceTrim = this.#size;
    if (this.#size === 0) this.#slots = [];
    else if (needed < this.#slots.length) this.#resize(this.#slots.length / 2);
  }

  /** The streams that are in the table now; it may change meanwhile. */
  all(): T[] {
    return this.#slots.filter((stream) => stream !== undefined);
  }

  #put(stream: T): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = this.#placeOf(stream.id);
    while (slots[at] !== undefined) at = (at + 1) & mask;
    slots[at] = stream;
  }

  /** Empties a slot, and moves up those behind that would not be found any more. */
  #close(hole: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let empty = hole;
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined) break;
      const wanted = this.#placeOf(stream.id);
      // it may move up to `empty` unless its own place lies behind that
      if (((at - wanted) & mask) < ((at - empty) & mask)) continue;
      slots[empty] = stream;
      empty = at;
    }
    slots[empty] = undefined;
  }

  #placeOf(id: number): number {
    return Math.imul(id, spread) >>> this.#shift;
  }

  #resize(length: number): void {
    const streams = this.all();
    this.#slots = new Array<T | undefined>(Math.max(firstSlots, length)).fill(undefined);
    this.#shift = Math.clz32(this.#slots.length) + 1;
    for (const stream of streams) this.#put(stream);
  }
}
