import { headerBytes, writeHeader } from "../../codec/index.js";
import type { ByteConnection } from "../connection.js";

const firstSlabBytes = 2 * 1024;

interface BufferLike {
  allocUnsafeSlow(size: number): Uint8Array;
}

/** Memory that need not be zeroed, where the runtime has it. */
const nodeBuffer = (globalThis as { Buffer?: BufferLike }).Buffer;
const allocate: (size: number) => Uint8Array =
  typeof nodeBuffer?.allocUnsafeSlow === "function"
    ? (size) => nodeBuffer.allocUnsafeSlow(size)
    : (size) => new Uint8Array(size);

/**
 * Calls back when all promises that can go on have gone on; called from one of them. An answer of a generator comes
 * some promises after the one before it, so that a plain microtask would send each by itself.
 */
const nextTick: (callback: () => void) => void =
  (globalThis as { process?: { nextTick?: (callback: () => void) => void } }).process?.nextTick ??
  ((callback) => callback());

/**
 * Joins frames into messages. Everything written in one tick leaves in one message of the connection, or in as
 * few as its limit allows; nothing waits longer than the tick.
 *
 * Messages are cut from a slab: the memory is taken when there is something to write, and one slab serves many
 * small messages. A slab that has gone to the connection is never written to again before its end.
 */
export class Outbox {
  readonly #connection: ByteConnection;
  readonly #maxMessageBytes: number;
  readonly #sendBufferBytes: number;
  readonly #beforeFlush: () => void;

  #slab: Uint8Array | undefined;
  #slabBytes = firstSlabBytes;
  /** The message being built is slab[start, end). */
  #start = 0;
  #end = 0;
  #isScheduled = false;
  #isReadingPaused = false;
  #wasUsed = false;

  /** True while the connection has more to send than it should: data must wait, control frames need not. */
  isBlocked = false;

  readonly #onTick = () => {
    if (this.#isScheduled) this.flush();
  };
  readonly #afterMicrotasks = () => nextTick(this.#onTick);

  /** @param beforeFlush called before a flush: writes what has waited for the end of the tick. */
  constructor(
    connection: ByteConnection,
    limits: { maxMessageBytes: number; sendBufferBytes: number },
    beforeFlush: () => void,
  ) {
    this.#connection = connection;
    this.#maxMessageBytes = limits.maxMessageBytes;
    this.#sendBufferBytes = limits.sendBufferBytes;
    this.#beforeFlush = beforeFlush;
  }

  /** Largest body that fits in one message together with its header. */
  get maxBodyBytes(): number {
    return this.#maxMessageBytes - headerBytes;
  }

  /** Bytes for which the message being built has room. */
  get room(): number {
    return this.#maxMessageBytes - (this.#end - this.#start);
  }

  /** Has a flush at the end of the tick. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.#afterMicrotasks);
  }

  /** Adds a frame without a body. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    const at = this.#reserve(headerBytes);
    writeHeader(this.#memory(), at, type, flags, streamId, length);
    this.schedule();
  }

  /**
   * Begins a frame whose body the caller writes.
   * @returns where in {@link memory} the body begins.
   */
  frameWithBody(type: number, flags: number, streamId: number, bodyLength: number): number {
    const at = this.#reserve(headerBytes + bodyLength);
    writeHeader(this.#memory(), at, type, flags, streamId, bodyLength);
    this.schedule();
    return at + headerBytes;
  }

  /** What {@link frameWithBody} gave a place in; good until the next call of any other method. */
  get memory(): Uint8Array {
    return this.#memory();
  }

  /** Sends now what has been written, and whatever `beforeFlush` adds. */
  flush(): void {
    this.#beforeFlush();
    this.#isScheduled = false;
    this.#seal();
  }

  /** The connection has sent what it had. */
  onDrain(): void {
    this.isBlocked = false;
    if (this.#isReadingPaused) {
      this.#isReadingPaused = false;
      this.#connection.resumeReading();
    }
  }

  /** Gives the memory back if nothing has been written since the last call. */
  releaseIfIdle(): void {
    if (!this.#wasUsed && this.#start === this.#end) {
      this.#slab = undefined;
      this.#slabBytes = firstSlabBytes;
      this.#start = 0;
      this.#end = 0;
    }
    this.#wasUsed = false;
  }

  #memory(): Uint8Array {
    this.#slab ??= allocate(this.#slabBytes);
    return this.#slab;
  }

  #reserve(bytes: number): number {
    this.#wasUsed = true;
    if (this.#end - this.#start + bytes > this.#maxMessageBytes) this.#seal();
    if (this.#end + bytes > this.#memory().length) this.#nextSlab(bytes);
    const at = this.#end;
    this.#end += bytes;
    return at;
  }

  /** Goes on in a new slab, with the message that was begun. */
  #nextSlab(bytes: number): void {
    const begun = this.#memory().subarray(this.#start, this.#end);
    // a connection that uses up its slabs gets larger ones, so that little is copied from one to the next
    this.#slabBytes = Math.min(4 * this.#maxMessageBytes, this.#slabBytes * 4);
    this.#slab = allocate(Math.max(this.#slabBytes, begun.length + bytes));
    this.#slab.set(begun);
    this.#start = 0;
    this.#end = begun.length;
  }

  /** Hands the message to the connection. */
  #seal(): void {
    if (this.#end === this.#start) return;
    const message = this.#memory().subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#connection.write(message);
    const waiting = this.#connection.bufferedBytes;
    if (waiting <= this.#sendBufferBytes) return;
    this.isBlocked = true;
    // Data alone comes no further than two messages beyond the limit. If it could, two sides that send much would both
    // stop reading, and wait for each other for ever.
    if (waiting > 2 * (this.#sendBufferBytes + this.#maxMessageBytes) && !this.#isReadingPaused) {
      // Only answers to what we read can have come so far: stop asking for more of it.
      this.#isReadingPaused = true;
      this.#connection.pauseReading();
    }
  }
}
