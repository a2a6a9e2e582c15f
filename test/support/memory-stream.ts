import { PacketReader, packetKindName } from "../../src/codec/index.js";
import type { DuplexStream, StreamReceiver, TransportError } from "../../src/transport/index.js";

/** A stream whose other side is the test: it feeds bytes and sees what was sent. */
export class MemoryStream implements DuplexStream {
  readonly id = 7;
  isAlive = true;
  memory = new Uint8Array(0);
  /** Everything sent, one entry for each call of `send`. */
  readonly sent: Buffer[] = [];
  hasClosedWrite = false;
  wasReset = false;
  expectsEnd = false;
  /** While true everything is held back. */
  isBlocked = false;
  #receiver: StreamReceiver | undefined;
  #waiting: Uint8Array[] = [];

  setReceiver(receiver: StreamReceiver): void {
    this.#receiver = receiver;
  }

  resume(): void {
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting[0] ?? new Uint8Array(0);
      const taken = this.#receiver?.onData(bytes) ?? 0;
      if (taken < bytes.length) {
        this.#waiting[0] = bytes.subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
  }

  begin(): number {
    return -1;
  }

  send(parts: readonly Uint8Array[]): boolean {
    if (this.hasClosedWrite || this.wasReset) throw new Error("the stream has been ended");
    this.sent.push(Buffer.concat(parts));
    return !this.isBlocked;
  }

  closeWrite(): void {
    this.hasClosedWrite = true;
  }

  finish(): void {
    if (this.isBlocked) this.reset();
    else this.closeWrite();
  }

  reset(): void {
    this.wasReset = true;
    this.isAlive = false;
  }

  expectEnd(): void {
    this.expectsEnd = true;
  }

  expectMore(): void {
    this.expectsEnd = false;
  }

  feed(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.resume();
  }

  /** Bytes that the receiver has not taken. */
  get unread(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  end(): void {
    this.#receiver?.onEnd();
  }

  fail(error: TransportError): void {
    this.isAlive = false;
    this.#receiver?.onReset(error);
  }

  drain(): void {
    this.isBlocked = false;
    this.#receiver?.onWritable();
  }

  /** The packets sent, in words: `Message 1.2 (5 bytes)`. */
  get packets(): string[] {
    const words: string[] = [];
    new PacketReader().push(Buffer.concat(this.sent), {
      onPacket(kind, _control, stream, message, body) {
        words.push(`${packetKindName(kind)} ${stream}.${message} (${body.length} bytes)`);
        return true;
      },
    });
    return words;
  }
}
