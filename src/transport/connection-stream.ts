import { emptyBytes, joined } from "../codec/byte-pieces.js";
import type { ByteConnection, ConnectionReceiver } from "./connection.js";
import { CloseCode, closedLocally } from "./connection.js";
import type { DuplexStream, StreamReceiver } from "./duplex-stream.js";
import { TransportError } from "./errors.js";

/** Unsent bytes above which writers are asked to wait. */
const maxUnsentBytes = 64 * 1024;

/** How a connection is one stream. */
export interface ConnectionStreamOptions {
  /**
   * Reads nothing while the peer does not take what it is sent, so that a peer that only asks cannot make this side
   * grow. For the side that answers; with both sides doing so, each could wait for the other. Off by default.
   */
  pausesWhileFull?: boolean;
}

/** A stream that has a connection for itself. It has one end: neither side can close half of it. */
export interface ConnectionStream extends DuplexStream {
  /** Resolves when the connection has ended, with the reason. Never rejects. */
  readonly closed: Promise<TransportError>;
}

/** A whole connection as one stream, without multiplexing. W1.5. */
export function connectionStream(
  connection: ByteConnection,
  options: ConnectionStreamOptions = {},
): ConnectionStream {
  return new WholeConnection(connection, options);
}

class WholeConnection implements ConnectionStream, ConnectionReceiver {
  readonly id = 0;
  readonly memory = emptyBytes;
  readonly closed: Promise<TransportError>;

  readonly #connection: ByteConnection;
  readonly #pausesWhileFull: boolean;
  #resolveClosed: (end: TransportError) => void = () => {};
  #receiver: StreamReceiver | undefined;
  /** What has come and was not taken. Reading pauses with the first of it. */
  readonly #held: Uint8Array[] = [];
  #isDelivering = false;
  #wantsWritable = false;
  #isEndedHere = false;
  /** How the connection ended, until the receiver has been told. */
  #end: TransportError | undefined;
  #hasEnded = false;

  constructor(connection: ByteConnection, options: ConnectionStreamOptions) {
    this.#connection = connection;
    this.#pausesWhileFull = options.pausesWhileFull ?? false;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    connection.attach(this);
    // until there is a receiver
    connection.pauseReading();
  }

  get isAlive(): boolean {
    return !this.#isEndedHere && !this.#hasEnded;
  }

  setReceiver(receiver: StreamReceiver): void {
    this.#receiver = receiver;
    this.resume();
  }

  resume(): void {
    const receiver = this.#receiver;
    if (receiver === undefined || this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      for (let bytes = this.#held[0]; bytes !== undefined; bytes = this.#held[0]) {
        const taken = receiver.onData(bytes);
        if (taken < bytes.length) {
          // what was reset meanwhile holds nothing any more
          if (this.#held.length > 0) this.#held[0] = bytes.subarray(taken);
          return;
        }
        this.#held.shift();
      }
    } finally {
      this.#isDelivering = false;
    }
    this.#readOn();
    this.#tellEnd();
  }

  /** There is no place to write in: what is sent goes to the connection as it is. */
  begin(): number {
    this.#checkMaySend();
    return -1;
  }

  send(parts: readonly Uint8Array[], areReused = false): boolean {
    this.#checkMaySend();
    for (const part of areReused ? [joined(parts)] : parts) this.#connection.write(part);
    if (!this.#isFull) return true;
    this.#wantsWritable = true;
    if (this.#pausesWhileFull) this.#connection.pauseReading();
    return false;
  }

  closeWrite(): void {
    if (!this.isAlive) return;
    this.#isEndedHere = true;
    this.#held.length = 0;
    this.#connection.close(CloseCode.Normal, "");
  }

  finish(): void {
    if (this.#connection.bufferedBytes > 0) this.reset();
    else this.closeWrite();
  }

  reset(): void {
    if (!this.isAlive) return;
    this.#isEndedHere = true;
    this.#held.length = 0;
    this.#connection.abort();
  }

  /** A connection without a call under way is fine: nothing has to end. */
  expectEnd(): void {}

  expectMore(): void {}

  // ---- for the connection ----

  onBytes(bytes: Uint8Array): void {
    if (!this.isAlive) return;
    this.#held.push(bytes);
    // what was held before is not wanted yet, so neither is this
    if (this.#held.length === 1) this.resume();
    if (this.#held.length > 0) this.#connection.pauseReading();
  }

  onDrain(): void {
    if (!this.isAlive || this.#isFull) return;
    this.#readOn();
    if (!this.#wantsWritable) return;
    this.#wantsWritable = false;
    this.#receiver?.onWritable();
  }

  onEnd(end: TransportError): void {
    this.#hasEnded = true;
    this.#end = end;
    if (end.code !== "closed-by-peer") this.#held.length = 0;
    this.#resolveClosed(end);
    if (this.#held.length > 0) this.#receiver?.onEndAhead();
    else this.#tellEnd();
  }

  // ---- inside ----

  get #isFull(): boolean {
    return this.#connection.bufferedBytes > maxUnsentBytes;
  }

  /** Reads on where nothing is against it. */
  #readOn(): void {
    if (!this.isAlive || this.#receiver === undefined || this.#held.length > 0) return;
    if (this.#pausesWhileFull && this.#isFull) return;
    this.#connection.resumeReading();
  }

  #tellEnd(): void {
    const end = this.#end;
    if (end === undefined || this.#receiver === undefined || this.#isDelivering) return;
    this.#end = undefined;
    if (this.#isEndedHere) return;
    if (end.code === "closed-by-peer") this.#receiver.onEnd();
    else this.#receiver.onReset(end);
  }

  #checkMaySend(): void {
    if (this.isAlive) return;
    if (this.#isEndedHere) throw closedLocally(this.#connection.name);
    throw new TransportError(
      "connection",
      "connection-lost",
      `${this.#connection.name}: the connection is over`,
    );
  }
}
