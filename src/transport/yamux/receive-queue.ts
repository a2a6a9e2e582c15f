import { allocateBytes } from "../../codec/allocate.js";

/** A piece that is at least so large, and nearly all of its buffer, is kept as it is. */
const keptBytes = 8 * 1024;

/** A block with room for what comes next is no larger, so that little room lies idle. */
const largestBlockBytes = 16 * 1024;

interface Block {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** False where `bytes` belongs to somebody else, or is full of somebody else's. */
  isOwn: boolean;
}

/**
 * Bytes that the application has not read. Small pieces are gathered in blocks, so that what is held is about
 * what is counted: a piece by itself would keep the whole buffer alive that it is a view of.
 */
export class ReceiveQueue {
  #blocks: Block[] = [];
  #length = 0;
  /** What is held in blocks of its own, read or not. */
  #ownBytes = 0;

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    this.#length += piece.length;
    if (piece.length >= keptBytes && 32 * piece.length >= 31 * piece.buffer.byteLength) {
      this.#blocks.push({ bytes: piece, start: 0, end: piece.length, isOwn: false });
      return;
    }
    let rest = piece;
    while (rest.length > 0) {
      const block = this.#blockWithRoom(rest.length);
      const count = Math.min(rest.length, block.bytes.length - block.end);
      block.bytes.set(rest.subarray(0, count), block.end);
      block.end += count;
      this.#ownBytes += count;
      rest = rest.subarray(count);
    }
  }

  /** The bytes that are next, without taking them; undefined when there are none. */
  peek(): Uint8Array | undefined {
    const block = this.#blocks[0];
    return block === undefined ? undefined : block.bytes.subarray(block.start, block.end);
  }

  /** Takes the first bytes of what {@link peek} gave. */
  skip(count: number): void {
    const block = this.#blocks[0];
    if (block === undefined) return;
    block.start += count;
    this.#length -= count;
    if (block.start < block.end) return;
    this.#blocks.shift();
    if (block.isOwn) this.#ownBytes -= block.end;
  }

  clear(): void {
    this.#blocks = [];
    this.#length = 0;
    this.#ownBytes = 0;
  }

  #blockWithRoom(wanted: number): Block {
    const last = this.#blocks[this.#blocks.length - 1];
    if (last?.isOwn && last.end < last.bytes.length) return last;
    // half as much again as is gathered already, so that many small pieces make few blocks, and a few lie in small ones
    const size = Math.max(wanted, Math.min(largestBlockBytes, Math.max(512, this.#ownBytes >> 1)));
    const block = { bytes: allocateBytes(size), start: 0, end: 0, isOwn: true };
    this.#blocks.push(block);
    return block;
  }
}
