import { BytePieces, emptyBytes } from "./byte-pieces.js";
import { packetKindName } from "./drpc-frame.js";
import { WireError } from "./errors.js";
import { type Uint64, VarintAccumulator } from "./varint.js";

// Which part of a frame the next byte belongs to.
const controlPart = 0;
const streamPart = 1;
const messagePart = 2;
const lengthPart = 3;
const bodyPart = 4;

/** A dRPC packet that does not lie in one piece: frames that may be cut anywhere, joined. Rules W4.1 to W4.3. */
export class CutPacket {
  readonly #maxPacketBytes: number;
  #part: number = controlPart;
  /** For a varint that the input cuts, or that is long. */
  #varint: VarintAccumulator | undefined;

  // the frame being read
  #frameKind = 0;
  #isDone = false;
  #frameIsControl = false;
  #frameStream: Uint64 = 0;
  #frameMessage: Uint64 = 0;
  #bodyLeft = 0;

  // the packet being joined; the ids are the lowest that it may have until a frame of it has come
  stream: Uint64;
  message: Uint64;
  kind = 0;
  isControl = false;
  #isOpen = false;
  #body: BytePieces | undefined;
  #bodyLength = 0;

  /** True once all of it is there: then it is done for. */
  isWhole = false;

  /** @param stream with `message` the lowest id that the packet may have. */
  constructor(maxPacketBytes: number, stream: Uint64, message: Uint64) {
    this.#maxPacketBytes = maxPacketBytes;
    this.stream = stream;
    this.message = message;
  }

  /**
   * Reads until the packet is whole or the input ends.
   * @returns the offset after what was read.
   * @throws WireError when the bytes are not dRPC.
   */
  read(bytes: Uint8Array, start: number): number {
    let offset = start;
    while (offset < bytes.length && !this.isWhole) {
      if (this.#part !== bodyPart) {
        offset = this.#readHeader(bytes, offset);
        if (this.#part !== bodyPart) return offset;
      }
      const take = Math.min(this.#bodyLeft, bytes.length - offset);
      if (take > 0) this.#join(bytes.subarray(offset, offset + take));
      offset += take;
      this.#bodyLeft -= take;
      if (this.#bodyLeft > 0) return offset;
      this.#part = controlPart;
      this.isWhole = this.#isDone;
    }
    return offset;
  }

  /** How much of the body has come. */
  get heldBytes(): number {
    return this.#body?.length ?? 0;
  }

  takeBody(): Uint8Array {
    return this.#body?.take() ?? emptyBytes;
  }

  #join(piece: Uint8Array): void {
    this.#body ??= new BytePieces();
    this.#body.push(piece);
    this.#bodyLength += piece.length;
  }

  /** Reads header bytes until the frame's body begins or the input ends. */
  #readHeader(bytes: Uint8Array, start: number): number {
    let offset = start;
    while (offset < bytes.length) {
      const byte = bytes[offset++] ?? 0;
      if (this.#part === controlPart) {
        this.#isDone = (byte & 1) === 1;
        this.#frameKind = (byte >> 1) & 0x3f;
        this.#frameIsControl = byte >= 0x80;
        this.#part = streamPart;
        continue;
      }
      let value: Uint64 = byte;
      if (byte >= 0x80 || this.#varint?.isCut) {
        this.#varint ??= new VarintAccumulator();
        const ended = this.#varint.push(byte);
        if (ended === undefined) throw tooLong(this.#part);
        if (!ended) continue;
        value = this.#varint.take();
      }
      if (this.#part === streamPart) {
        this.#frameStream = value;
        this.#part = messagePart;
      } else if (this.#part === messagePart) {
        this.#frameMessage = value;
        this.#part = lengthPart;
      } else {
        this.#beginBody(value);
        return offset;
      }
    }
    return offset;
  }

  #beginBody(length: Uint64): void {
    this.#beginFrame();
    // the declared length is checked here, before anything is kept for it
    const total = typeof length === "number" ? this.#bodyLength + length : length;
    if (total > this.#maxPacketBytes) {
      throw new WireError(
        "drpc",
        "data-overflow",
        `dRPC: a packet of ${total} bytes or more is over the limit of ${this.#maxPacketBytes} bytes (data overflow)`,
      );
    }
    this.#bodyLeft = Number(length);
    this.#part = bodyPart;
  }

  /** Puts a frame in relation to the packet before it. */
  #beginFrame(): void {
    const stream = this.#frameStream;
    const message = this.#frameMessage;
    const isLower = stream < this.stream || (stream === this.stream && message < this.message);
    if (isLower) {
      throw new WireError(
        "drpc",
        "id-monotonicity",
        `dRPC: a frame with id ${stream}.${message} came where ${this.stream}.${this.message} or higher is due (id monotonicity violation)`,
      );
    }
    if (!this.#isOpen || stream !== this.stream || message !== this.message) {
      // a new id drops a packet that was not finished
      this.stream = stream;
      this.message = message;
      this.#isOpen = true;
      this.kind = this.#frameKind;
      this.isControl = this.#frameIsControl;
      this.#body?.clear();
      this.#bodyLength = 0;
      return;
    }
    if (this.#frameKind !== this.kind) {
      throw new WireError(
        "drpc",
        "packet-kind-change",
        `dRPC: packet ${stream}.${message} began as ${packetKindName(this.kind)} and goes on as ${packetKindName(this.#frameKind)}`,
      );
    }
    this.isControl ||= this.#frameIsControl;
  }
}

function tooLong(part: number): WireError {
  const field = part === streamPart ? "stream id" : part === messagePart ? "message id" : "length";
  return new WireError(
    "drpc",
    "varint-too-long",
    `dRPC: the varint of a frame's ${field} is longer than ten bytes`,
  );
}
