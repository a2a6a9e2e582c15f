import { allocateBytes } from "../../codec/allocate.js";
import { FrameType, headerBytes, writeHeader, writeLength } from "../../codec/yamux-header.js";
import type { ByteConnection } from "../connection.js";
import { giveBackPlace, placeBytes, type SharedSlab, takePlace } from "./slabs.js";

/** A connection's first slab of its own. Each is larger than the one before. */
const firstSlabBytes = 8 * 1024;

/**
 * Bulk data leaves in messages of at most this. A receiver copies each message that is cut by its reads, and reads are of
 * 64 KiB: nearly all larger messages would be copied, and smaller ones cost more themselves.
 */
const bulkMessageBytes = 32 * 1024;

/** After so many flushes of more than small messages, in an interval, a connection keeps its slab. */
const flushesForOwnSlab = 16;

/**
 * Bulk data goes so far ahead of small data, and no further: what is written meanwhile waits behind it. The network
 * takes more than that by itself.
 */
const bulkAheadBytes = 64 * 1024;

/**
 * Calls back when all promises that can go on have gone on; called from one of them. An answer of a generator comes
 * some promises after the one before it, so that a plain microtask would send each by itself.
 */
const nextTick: (callback: () => void) => void =
  (globalThis as { process?: { nextTick?: (callback: () => void) => void } }).process?.nextTick ??
  ((callback) => callback());

/** Who writes in an outbox. */
export interface OutboxOwner {
  /** The tick is over: writes what has waited for that. */
  beforeFlush(): void;
  /** The connection has what was written: has another flush where there is more for it. */
  afterFlush(): void;
}

/**
 * Joins frames into messages. Everything written in one tick leaves in one message of the connection, or in as
 * few as its limit allows; nothing waits longer than the tick.
 *
 * Messages are cut from a slab: the memory is taken when there is something to write, and one slab serves many
 * small messages. Small messages of all sessions come from the same slab; only a connection that sends more has slabs of
 * its own, for a while. Those are used again where the connection says when what was in them has left, and never
 * elsewhere: memory that comes fresh from the system with each message costs more than all else that is done with it.
 */
export class Outbox {
  readonly #connection: ByteConnection;
  readonly #maxMessageBytes: number;
  readonly #sendBufferBytes: number;
  readonly #owner: OutboxOwner;

  #slab: Uint8Array | undefined;
  /** Where the slab ends for this outbox. */
  #limit = 0;
  /** The slab, where it is that of all sessions. */
  #shared: SharedSlab | undefined;
  /** How large the last slab of its own was. */
  #ownSlabBytes = 0;
  /** The slab of its own before this one, which is free when so much has left. */
  #spare: { bytes: Uint8Array; freeAt: number } | undefined;
  /** How often a slab of its own was flushed in this interval. */
  #ownFlushes = 0;
  /** The message being built is slab[start, end). */
  #start = 0;
  #end = 0;
  /** The stream whose data frame is the last of the message; 0 when another frame is, or none. */
  #dataStream = 0;
  /** Where that frame is. */
  #dataAt = 0;
  #isScheduled = false;
  #isReadingPaused = false;
  /** All that the connection was given. */
  #writtenBytes = 0;
  /** The same at the end of the last tick: a connection that takes all at once must not get all of it in one tick. */
  #flushedBytes = 0;
  /** How much had been written when the last bulk data was. */
  #bulkEnd = 0;

  /** True while the connection has more to send than it should: data must wait, control frames need not. */
  isBlocked = false;

  /** @param owner is asked for more before each flush. */
  constructor(
    connection: ByteConnection,
    limits: { maxMessageBytes: number; sendBufferBytes: number },
    owner: OutboxOwner,
  ) {
    this.#connection = connection;
    this.#maxMessageBytes = limits.maxMessageBytes;
    this.#sendBufferBytes = limits.sendBufferBytes;
    this.#owner = owner;
  }

  /** Largest body of bulk data that fits in one message together with its header. */
  get maxBulkBodyBytes(): number {
    return this.#maxBulkMessageBytes - headerBytes;
  }

  /**
   * True while bulk data may be written. Only what waits in front of the last bulk data counts, so that small data
   * cannot keep it away for ever.
   */
  get takesBulk(): boolean {
    return this.#bulkEnd - Math.min(this.#sentBytes, this.#flushedBytes) < bulkAheadBytes;
  }

  /** Says that what has just been written was bulk data. */
  wroteBulk(): void {
    this.#bulkEnd = this.#writtenBytes + this.#end - this.#start;
  }

  /** Has a flush at the end of the tick. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // made each time: kept, they would be there for each idle connection
    queueMicrotask(() =>
      nextTick(() => {
        if (this.#isScheduled) this.flush();
      }),
    );
  }

  /** Adds a frame without a body. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    const at = this.#reserve(headerBytes, this.#maxMessageBytes);
    this.#dataStream = 0;
    writeHeader(this.memory, at, type, flags, streamId, length);
    this.schedule();
  }

  /**
   * Makes room for data that the caller writes: in a frame of its own, or in that before it, where that is data of the
   * same stream. The peer then has one frame to look at in place of one for each message.
   * @param isBulk it is part of more.
   * @returns where in {@link memory} the data begins.
   */
  data(flags: number, streamId: number, length: number, isBulk = false): number {
    const most = isBulk ? this.#maxBulkMessageBytes : this.#maxMessageBytes;
    const end = this.#end + length;
    const hasRoom = end - this.#start <= most && end <= this.#limit;
    if (flags === 0 && streamId === this.#dataStream && hasRoom) {
      const at = this.#end;
      this.#end = end;
      writeLength(this.memory, this.#dataAt, this.#end - this.#dataAt - headerBytes);
      return at;
    }
    const at = this.#reserve(headerBytes + length, most);
    writeHeader(this.memory, at, FrameType.Data, flags, streamId, length);
    this.#dataStream = streamId;
    this.#dataAt = at;
    this.schedule();
    return at + headerBytes;
  }

  /** What {@link data} gave a place in; good until the next call of any other method. */
  get memory(): Uint8Array {
    return this.#slab ?? this.#takeSlab(0);
  }

  /** Sends now what has been written, and whatever the owner adds. */
  flush(): void {
    this.#owner.beforeFlush();
    this.#isScheduled = false;
    this.#seal();
    this.#flushedBytes = this.#writtenBytes;
    this.#owner.afterFlush();
    if (this.#shared !== undefined) {
      giveBackPlace(this.#shared, this.#end, this.#limit);
      this.#forgetSlab();
    } else if (this.#slab !== undefined && this.#ownFlushes++ < flushesForOwnSlab) {
      this.#forgetSlab();
    }
  }

  /** The connection has sent what it had. */
  onDrain(): void {
    this.isBlocked = false;
    if (this.#isReadingPaused) {
      this.#isReadingPaused = false;
      this.#connection.resumeReading();
    }
  }

  /** An interval is over: gives memory back that was used little in it. */
  releaseIfIdle(): void {
    if (this.#ownFlushes < flushesForOwnSlab && this.#start === this.#end) {
      this.#forgetSlab();
      this.#spare = undefined;
      this.#ownSlabBytes = 0;
    }
    this.#ownFlushes = 0;
  }

  get #maxBulkMessageBytes(): number {
    return Math.min(this.#maxMessageBytes, bulkMessageBytes);
  }

  /** How much has left of what the connection was given. */
  get #sentBytes(): number {
    return this.#writtenBytes - this.#connection.bufferedBytes;
  }

  #reserve(bytes: number, maxMessageBytes: number): number {
    if (this.#end - this.#start + bytes > maxMessageBytes) this.#seal();
    if (this.#slab === undefined) this.#takeSlab(bytes);
    else if (this.#end + bytes > this.#limit) this.#nextSlab(this.#slab, bytes);
    const at = this.#end;
    this.#end += bytes;
    return at;
  }

  #takeSlab(bytes: number): Uint8Array {
    if (bytes > placeBytes || this.#ownFlushes >= flushesForOwnSlab) return this.#takeOwnSlab(bytes);
    const shared = takePlace();
    this.#shared = shared;
    this.#slab = shared.bytes;
    this.#limit = shared.end;
    this.#start = shared.end - placeBytes;
    this.#end = this.#start;
    return shared.bytes;
  }

  /** Goes on in a new slab, with the message that was begun. */
  #nextSlab(slab: Uint8Array, bytes: number): void {
    const begun = slab.subarray(this.#start, this.#end);
    const isOwn = this.#shared === undefined;
    if (this.#shared !== undefined) giveBackPlace(this.#shared, this.#start, this.#limit);
    this.#takeOwnSlab(begun.length + bytes).set(begun);
    this.#end = begun.length;
    if (isOwn && this.#connection.releasesMemory) this.#spare = { bytes: slab, freeAt: this.#writtenBytes };
  }

  #takeOwnSlab(bytes: number): Uint8Array {
    // a connection that uses up its slabs gets larger ones, so that little is copied from one to the next
    const most = 2 * this.#maxMessageBytes;
    this.#ownSlabBytes = Math.min(most, Math.max(firstSlabBytes, this.#ownSlabBytes * 4));
    const size = Math.max(this.#ownSlabBytes, bytes);
    const slab = this.#takeSpare(size) ?? allocateBytes(size);
    this.#shared = undefined;
    this.#slab = slab;
    this.#limit = slab.length;
    this.#start = 0;
    this.#end = 0;
    return slab;
  }

  #takeSpare(bytes: number): Uint8Array | undefined {
    const spare = this.#spare;
    if (spare === undefined || spare.freeAt > this.#sentBytes) return undefined;
    this.#spare = undefined;
    return spare.bytes.length >= bytes ? spare.bytes : undefined;
  }

  #forgetSlab(): void {
    this.#slab = undefined;
    this.#shared = undefined;
    this.#start = 0;
    this.#end = 0;
  }

  /** Hands the message to the connection. */
  #seal(): void {
    if (this.#end === this.#start) return;
    const message = this.memory.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#dataStream = 0;
    this.#writtenBytes += message.length;
    this.#connection.write(message);
    const waiting = this.#connection.bufferedBytes;
    if (waiting === 0 && this.#shared === undefined && this.#connection.releasesMemory) {
      this.#start = 0;
      this.#end = 0;
    }
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
