import type { DuplexStream, StreamReceiver } from "./duplex-stream.js";
import { TransportError } from "./errors.js";

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Reads and writes a stream with promises, where that is more convenient than to be its receiver. What nobody reads
 * stays in the stream, and so with the peer.
 *
 * ```ts
 * const stream = new PulledStream(await session.open());
 * await stream.write(new TextEncoder().encode("hello"));
 * for await (const bytes of stream) console.log(bytes.length);
 * ```
 *
 * Reset the stream here and not below: waits would not end.
 */
export class PulledStream implements StreamReceiver {
  /** What is read and written. */
  readonly stream: DuplexStream;
  #reader: Waiter<Uint8Array | undefined> | undefined;
  #writers: Waiter<void>[] = [];
  #hasEnd = false;
  #error: TransportError | undefined;

  /** Becomes the stream's receiver. */
  constructor(stream: DuplexStream) {
    this.stream = stream;
    stream.setReceiver(this);
  }

  /**
   * Bytes as they come; undefined at the end. Only one read at a time.
   * @throws TransportError when the stream was reset.
   */
  read(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#reader !== undefined) reject(new Error("one read of a stream at a time"));
      else if (this.#error !== undefined) reject(this.#error);
      else if (this.#hasEnd) resolve(undefined);
      else {
        this.#reader = { resolve, reject };
        this.stream.resume();
      }
    });
  }

  /** Reads until the end of the stream. Leaving the loop early resets it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let bytes = await this.read(); bytes !== undefined; bytes = await this.read()) yield bytes;
    } finally {
      if (!this.#hasEnd) this.reset();
    }
  }

  /**
   * Sends bytes; resolves when they have left, so that a slow peer holds the writer back. The bytes must not be
   * changed before.
   * @throws TransportError when the stream was ended or reset before.
   */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.stream.send([bytes])) return;
    await new Promise<void>((resolve, reject) => {
      this.#writers.push({ resolve, reject });
    });
  }

  /** Ends this direction. The peer may go on sending. */
  closeWrite(): void {
    this.stream.closeWrite();
  }

  /** Kills the stream, and ends what waits for it. */
  reset(): void {
    this.stream.reset();
    this.onReset(new TransportError("stream", "stream-ended", "the stream was reset by this side"));
  }

  // ---- for the stream ----

  /** Gives them to whoever reads. */
  onData(bytes: Uint8Array): number {
    const reader = this.#reader;
    if (reader === undefined) return 0;
    this.#reader = undefined;
    reader.resolve(bytes);
    return bytes.length;
  }

  /** Tells whoever reads. */
  onEnd(): void {
    this.#hasEnd = true;
    this.#reader?.resolve(undefined);
    this.#reader = undefined;
  }

  /** Nothing: what came before is read first. */
  onEndAhead(): void {}

  /** Tells whoever waits. */
  onReset(error: TransportError): void {
    this.#error ??= error;
    this.#reader?.reject(this.#error);
    this.#reader = undefined;
    for (const writer of this.#writers.splice(0)) writer.reject(this.#error);
  }

  /** Tells whoever writes. */
  onWritable(): void {
    for (const writer of this.#writers.splice(0)) writer.resolve();
  }
}
