import { BytePieces, emptyBytes } from "./byte-pieces.js";
import { defaultMaxPacketBytes, packetKindName } from "./drpc-frame.js";
import { WireError } from "./errors.js";
import { next, type Uint64, VarintAccumulator } from "./varint.js";

/** Takes the packets that a {@link PacketReader} finds. */
export interface PacketSink {
  /**
   * Called for each packet, in order. `body` is a view of the input where the packet lay in one piece: whoever
   * keeps it keeps that input.
   * @returns false to stop reading after this packet.
   */
  onPacket(kind: number, control: boolean, stream: Uint64, message: Uint64, body: Uint8Array): boolean;
}

/** Which part of a frame the next byte belongs to. */
const Part = { Control: 0, Stream: 1, Message: 2, Length: 3, Body: 4 } as const;

/**
 * Finds dRPC packets in bytes that may be cut anywhere: joins frames, keeps the order of ids, refuses what is
 * too large. Rules W4.1 to W4.3.
 */
export class PacketReader {
  readonly #maxPacketBytes: number;
  #part: number = Part.Control;
  /** For a varint that the input cuts, or that is long. */
  #varint: VarintAccumulator | undefined;

  // the frame being read
  #kind = 0;
  #isDone = false;
  #isControl = false;
  #frameStream: Uint64 = 0;
  #frameMessage: Uint64 = 0;
  #bodyLeft = 0;

  // the packet being joined; the ids are those of the next packet while none is open
  #stream: Uint64 = 1;
  #message: Uint64 = 1;
  #isOpen = false;
  #packetKind = 0;
  #packetControl = false;
  #body: BytePieces | undefined;
  #bodyLength = 0;

  /** @param maxPacketBytes largest body of a packet, 4 MiB by default. */
  constructor(maxPacketBytes: number = defaultMaxPacketBytes) {
    this.#maxPacketBytes = maxPacketBytes;
  }

  /** True when everything so far was whole packets. */
  get isBetweenPackets(): boolean {
    return this.#part === Part.Control && !this.#isOpen;
  }

  /**
   * Reads bytes and hands over the packets they complete.
   * @returns how many bytes were read: all, unless the sink stopped the reader.
   * @throws WireError when the bytes are not dRPC; the reader cannot be used any more.
   */
  push(bytes: Uint8Array, sink: PacketSink): number {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#part !== Part.Body) {
        offset = this.#readHeader(bytes, offset);
        if (this.#part !== Part.Body) return offset;
      }
      const take = Math.min(this.#bodyLeft, bytes.length - offset);
      if (this.#isDone && this.#bodyLength === 0 && take === this.#bodyLeft) {
        // the usual case: the whole packet is one frame and lies in one piece
        const body = take === 0 ? emptyBytes : bytes.subarray(offset, offset + take);
        offset += take;
        if (!this.#finish(body, sink)) return offset;
        continue;
      }
      if (take > 0) this.#join(bytes.subarray(offset, offset + take));
      offset += take;
      this.#bodyLeft -= take;
      if (this.#bodyLeft > 0) return offset;
      if (!this.#isDone) {
        this.#part = Part.Control;
      } else if (!this.#finish(this.#body?.take() ?? emptyBytes, sink)) {
        return offset;
      }
    }
    return offset;
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
      if (this.#part === Part.Control) {
        this.#isDone = (byte & 1) === 1;
        this.#kind = (byte >> 1) & 0x3f;
        this.#isControl = byte >= 0x80;
        this.#part = Part.Stream;
        continue;
      }
      let value: Uint64 = byte;
      if (byte >= 0x80 || this.#varint?.isCut) {
        const second = bytes[offset] ?? 0x80;
        if (second < 0x80 && !this.#varint?.isCut) {
          value = (byte & 0x7f) | (second << 7);
          offset++;
        } else {
          this.#varint ??= new VarintAccumulator();
          const ended = this.#varint.push(byte);
          if (ended === undefined) throw tooLong(this.#part);
          if (!ended) continue;
          value = this.#varint.take();
        }
      }
      if (this.#part === Part.Stream) {
        this.#frameStream = value;
        this.#part = Part.Message;
      } else if (this.#part === Part.Message) {
        this.#frameMessage = value;
        this.#part = Part.Length;
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
    this.#part = Part.Body;
  }

  /** Puts a frame in relation to the packet before it. */
  #beginFrame(): void {
    const stream = this.#frameStream;
    const message = this.#frameMessage;
    const isLower = stream < this.#stream || (stream === this.#stream && message < this.#message);
    if (isLower) {
      throw new WireError(
        "drpc",
        "id-monotonicity",
        `dRPC: a frame with id ${stream}.${message} came where ${this.#stream}.${this.#message} or higher is due (id monotonicity violation)`,
      );
    }
    if (!this.#isOpen || stream !== this.#stream || message !== this.#message) {
      // a new id drops a packet that was not finished
      this.#stream = stream;
      this.#message = message;
      this.#isOpen = true;
      this.#packetKind = this.#kind;
      this.#packetControl = this.#isControl;
      this.#body?.clear();
      this.#bodyLength = 0;
      return;
    }
    if (this.#kind !== this.#packetKind) {
      throw new WireError(
        "drpc",
        "packet-kind-change",
        `dRPC: packet ${stream}.${message} began as ${packetKindName(this.#packetKind)} and goes on as ${packetKindName(this.#kind)}`,
      );
    }
    this.#packetControl ||= this.#isControl;
  }

  #finish(body: Uint8Array, sink: PacketSink): boolean {
    const stream = this.#stream;
    const message = this.#message;
    this.#part = Part.Control;
    this.#isOpen = false;
    this.#bodyLength = 0;
    this.#message = next(message);
    return sink.onPacket(this.#packetKind, this.#packetControl, stream, message, body);
  }
}

function tooLong(part: number): WireError {
  const field = part === Part.Stream ? "stream id" : part === Part.Message ? "message id" : "length";
  return new WireError(
    "drpc",
    "varint-too-long",
    `dRPC: the varint of a frame's ${field} is longer than ten bytes`,
  );
}
