import { compacted, emptyBytes } from "../codec/index.js";

/** What a queued message costs where it is a view of what others are views of too: its bytes are there anyway. */
const overheadBytes = 128;

/** What one costs that has been copied: its buffer, and what the engine needs for that. */
const ownBufferBytes = 384;

/** What comes together is mostly so much: a message of the connection, and its header. */
const maxSharedBytes = 80 * 1024;

/** It takes messages until they have cost so much, or one that is as long; and then again when it is empty. */
const limitBytes = 48 * 1024;

/** Where nothing is queued. */
const noMessages: Uint8Array[] = [];

/** Who gives messages to a queue. */
export interface MessageQueueOwner<T> {
  /** @throws Error when the bytes are not such a message. */
  decode(bytes: Uint8Array): T;
  /** The queue was full and takes messages again. */
  onRoom(): void;
  /** The application stops early, such as by `break`, or a message could not be decoded. */
  onReturn(): void;
}

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Messages between the reader of a conversation and the `for await` of an application. Holds what came together,
 * or about 48 KiB, or one message; more stays in the stream, and so with the peer.
 */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  readonly #owner: MessageQueueOwner<T>;

  #messages = noMessages;
  #head = 0;
  #heldBytes = 0;
  /** What all messages have cost since it was empty. */
  #costBytes = 0;
  /** What came with the first message in the queue: others of it are kept as they are. */
  #shared: ArrayBufferLike | undefined;
  #isFull = false;
  #end: { error: unknown } | "done" | undefined;
  /** Who waits for the next message; mostly one at a time, and for long. */
  #waiter: Waiter<T> | undefined;
  /** Who waits behind. */
  #moreWaiting: Waiter<T>[] | undefined;

  constructor(owner: MessageQueueOwner<T>) {
    this.#owner = owner;
  }

  /** True while the application waits for a message. */
  get isAwaited(): boolean {
    return this.#waiter !== undefined;
  }

  /** How much waits for the application. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @returns false when the queue is full: the reader should stop until `onRoom`. */
  push(bytes: Uint8Array): boolean {
    if (this.#end !== undefined) return true;
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = this.#moreWaiting?.shift();
      this.#deliver(bytes, waiter.resolve, waiter.reject);
      return true;
    }
    const isOfNextLot = this.#shared !== undefined && bytes.buffer !== this.#shared;
    const kept = this.#kept(bytes);
    if (this.#messages === noMessages) this.#messages = [];
    this.#messages.push(kept);
    this.#heldBytes += kept.length;
    this.#costBytes += kept.buffer === this.#shared ? overheadBytes : kept.length + ownBufferBytes;
    this.#isFull = isOfNextLot || this.#costBytes >= limitBytes || kept.length >= limitBytes;
    return !this.#isFull;
  }

  /** No more messages come. What is queued is still delivered. */
  close(): void {
    this.#finish("done");
  }

  /** Fails the iteration, after what is queued. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  /** Fails the iteration now: what is queued is dropped. */
  abort(error: unknown): void {
    this.#drop();
    this.#end = undefined;
    this.#finish({ error });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const bytes = this.#messages[this.#head];
      if (bytes !== undefined) {
        this.#take(bytes);
        this.#deliver(bytes, resolve, reject);
      } else if (this.#end === undefined) {
        this.#wait({ resolve, reject });
      } else if (this.#end === "done") {
        resolve({ done: true, value: undefined });
      } else {
        const { error } = this.#end;
        this.#end = "done";
        reject(error);
      }
    });
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    const wasOver = this.#end !== undefined && this.#messages.length === 0;
    this.#drop();
    this.#end = undefined;
    this.#finish("done");
    if (!wasOver) this.#owner.onReturn();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wait(waiter: Waiter<T>): void {
    if (this.#waiter === undefined) {
      this.#waiter = waiter;
      return;
    }
    this.#moreWaiting ??= [];
    this.#moreWaiting.push(waiter);
  }

  #drop(): void {
    this.#messages = noMessages;
    this.#head = 0;
    this.#heldBytes = 0;
    this.#costBytes = 0;
    this.#shared = undefined;
  }

  /**
   * A message that is a small part of much that came with it would keep all of that: so may one lot, and no more. Of the
   * next lot the queue takes one message, copied; the rest is packed more tightly in the stream.
   */
  #kept(bytes: Uint8Array): Uint8Array {
    if (bytes.buffer === this.#shared) return bytes;
    if (this.#messages.length > 0 || bytes.buffer.byteLength > maxSharedBytes) return compacted(bytes);
    this.#shared = bytes.buffer;
    return bytes;
  }

  #take(bytes: Uint8Array): void {
    this.#messages[this.#head++] = emptyBytes;
    if (this.#head === this.#messages.length) {
      this.#messages = noMessages;
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    this.#heldBytes -= bytes.length;
    if (this.#messages.length > 0) return;
    this.#costBytes = 0;
    this.#shared = undefined;
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#owner.onRoom();
  }

  #deliver(
    bytes: Uint8Array,
    resolve: (result: IteratorResult<T, undefined>) => void,
    reject: (error: unknown) => void,
  ): void {
    try {
      resolve({ done: false, value: this.#owner.decode(bytes) });
    } catch (error) {
      // one message that does not decode ends the call
      this.#owner.onReturn();
      this.abort(error);
      this.#end = "done";
      reject(error);
    }
  }

  #finish(end: { error: unknown } | "done"): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const waiting = this.#waiter === undefined ? [] : [this.#waiter, ...(this.#moreWaiting ?? [])];
    this.#waiter = undefined;
    this.#moreWaiting = undefined;
    for (const [i, { resolve, reject }] of waiting.entries()) {
      if (end === "done" || i > 0) resolve({ done: true, value: undefined });
      else {
        this.#end = "done";
        reject(end.error);
      }
    }
  }
}
