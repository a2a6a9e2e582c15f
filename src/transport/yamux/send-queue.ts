import { allocateBytes } from "../../codec/allocate.js";
import { emptyBytes } from "../../codec/index.js";

/** Bytes that wait to be framed, in the arrays in which they were given, or copies of them. */
export class SendQueue {
  #parts: Uint8Array[] = [];
  #head = 0;
  /** How much of the first part is gone. */
  #offset = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      if (part.length === 0) continue;
      this.#parts.push(part);
      this.#length += part.length;
    }
  }

  /** Copies all that waits: the arrays may be changed from now on. */
  copy(): void {
    const own = allocateBytes(this.#length);
    this.take(own);
    this.push([own]);
  }

  /** Fills `out` with the first bytes; at least as many must be there. */
  take(out: Uint8Array): void {
    let at = 0;
    while (at < out.length) {
      const part = this.#parts[this.#head] ?? emptyBytes;
      const count = Math.min(part.length - this.#offset, out.length - at);
      out.set(part.subarray(this.#offset, this.#offset + count), at);
      at += count;
      this.#offset += count;
      if (this.#offset === part.length) {
        this.#parts[this.#head++] = emptyBytes;
        this.#offset = 0;
      }
    }
    this.#length -= out.length;
    if (this.#length === 0) this.clear();
  }

  clear(): void {
    this.#parts = [];
    this.#head = 0;
    this.#offset = 0;
    this.#length = 0;
  }
}
