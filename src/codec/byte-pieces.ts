import { allocateBytes } from "./allocate.js";

/** No bytes. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

/** The same bytes in one array of their own, which may have room for more. */
export function joined(parts: readonly Uint8Array[], capacity = lengthOf(parts)): Uint8Array {
  const all = allocateBytes(capacity);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** How long several arrays are together. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

/** Pieces that keep more foreign memory alive than this, and four times their own size, are copied. */
const wasteAllowedBytes = 64 * 1024;

/**
 * Bytes that arrive in pieces and are wanted as one. Pieces are kept by reference and joined once, so a byte is
 * copied at most once; a single piece is not copied at all.
 *
 * A piece is a view of a larger buffer and keeps all of that buffer in memory. A peer that sends one byte of a
 * message in each of many large buffers would make a few bytes hold gigabytes, so once the waste is too large
 * the pieces move into a buffer of their own that grows by doubling.
 */
export class BytePieces {
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Bytes of the distinct buffers that the pieces are views of. */
  #heldBytes = 0;
  #own: Uint8Array | undefined;

  get length(): number {
    return this.#length;
  }

  /** Adds bytes at the end. They must not be changed while they are here. */
  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    if (this.#own !== undefined) {
      this.#append(piece);
      return;
    }
    const last = this.#pieces[this.#pieces.length - 1];
    if (last === undefined || last.buffer !== piece.buffer) this.#heldBytes += piece.buffer.byteLength;
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (
      this.#heldBytes > wasteAllowedBytes &&
      this.#heldBytes > 4 * this.#length &&
      this.#pieces.length > 1
    ) {
      this.#moveToOwn();
    }
  }

  /** All bytes as one array, and the list is empty again. */
  take(): Uint8Array {
    const joined = this.#joined();
    this.clear();
    return joined;
  }

  /** Forgets everything. */
  clear(): void {
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#length = 0;
    this.#heldBytes = 0;
    this.#own = undefined;
  }

  #joined(): Uint8Array {
    if (this.#own !== undefined) return this.#own.subarray(0, this.#length);
    const [first] = this.#pieces;
    if (first === undefined) return emptyBytes;
    if (this.#pieces.length === 1) return first;
    return joined(this.#pieces, this.#length);
  }

  #moveToOwn(): void {
    this.#own = joined(this.#pieces, Math.max(1024, 2 * this.#length));
    this.#pieces = [];
  }

  #append(piece: Uint8Array): void {
    const own = this.#own ?? emptyBytes;
    const length = this.#length + piece.length;
    if (length > own.length) {
      const grown = allocateBytes(2 * length);
      grown.set(own.subarray(0, this.#length));
      grown.set(piece, this.#length);
      this.#own = grown;
    } else {
      own.set(piece, this.#length);
    }
    this.#length = length;
  }
}

/**
 * The same bytes, copied where they are not most of their buffer: for those who keep them longer than that buffer should
 * live.
 */
export function compacted(bytes: Uint8Array): Uint8Array {
  return 4 * bytes.buffer.byteLength > 5 * bytes.length ? new Uint8Array(bytes) : bytes;
}
