/**
 * An unsigned 64-bit value: a `number` up to `Number.MAX_SAFE_INTEGER`, a `bigint` above. Each value has one
 * form only, so `===` and `<` compare values.
 */
export type Uint64 = number | bigint;

/** Bytes of the longest varint. */
export const maxVarintBytes = 10;

const lowBits = 2 ** 49;
const mask64 = (1n << 64n) - 1n;

/** The one form of a value. Bits beyond the 64th are dropped. */
export function uint64(value: number | bigint): Uint64 {
  if (typeof value === "number") return value;
  const wrapped = value & mask64;
  return wrapped <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wrapped) : wrapped;
}

/** `value + 1`, wrapping to 0 after the largest 64-bit value. */
export function next(value: Uint64): Uint64 {
  if (typeof value === "number" && value < Number.MAX_SAFE_INTEGER) return value + 1;
  return uint64(BigInt(value) + 1n);
}

/**
 * Puts a varint together byte by byte, so that a cut between any two bytes costs nothing. Values of more than
 * 64 bits lose their upper bits, as with the reference reader.
 */
export class VarintAccumulator {
  #bytes = 0;
  #low = 0;
  #high = 0;

  /** True while a varint has begun and not ended. */
  get isCut(): boolean {
    return this.#bytes > 0;
  }

  /**
   * @returns true when this byte was the last one, false when more are wanted, undefined when the varint is
   * longer than ten bytes.
   */
  push(byte: number): boolean | undefined {
    const bits = byte & 0x7f;
    if (this.#bytes < 7) this.#low += bits * 2 ** (7 * this.#bytes);
    else this.#high += bits * 2 ** (7 * (this.#bytes - 7));
    this.#bytes++;
    if (byte < 0x80) return true;
    return this.#bytes < maxVarintBytes ? false : undefined;
  }

  /** The value; the accumulator is empty again. */
  take(): Uint64 {
    const low = this.#low;
    const high = this.#high;
    this.#bytes = 0;
    this.#low = 0;
    this.#high = 0;
    if (high < 16) return high * lowBits + low;
    return uint64(BigInt(high) * BigInt(lowBits) + BigInt(low));
  }
}

/** How many bytes a value takes as a varint. */
export function varintLength(value: Uint64): number {
  if (typeof value === "number") {
    if (value < 0x80) return 1;
    if (value < 0x4000) return 2;
    if (value < 0x200000) return 3;
    if (value < 0x10000000) return 4;
  }
  let length = 1;
  for (let rest = BigInt(value) >> 7n; rest > 0n; rest >>= 7n) length++;
  return length;
}

/**
 * Writes a varint.
 * @returns the offset after it.
 */
export function writeVarint(out: Uint8Array, offset: number, value: Uint64): number {
  if (typeof value === "number" && value < 0x80000000) {
    let rest = value;
    while (rest > 0x7f) {
      out[offset++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    out[offset++] = rest;
    return offset;
  }
  let rest = BigInt(value);
  while (rest > 0x7fn) {
    out[offset++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  out[offset++] = Number(rest);
  return offset;
}
