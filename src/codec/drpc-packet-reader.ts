import { emptyBytes } from "./byte-pieces.js";
import { CutPacket } from "./drpc-cut-packet.js";
import { defaultMaxPacketBytes } from "./drpc-frame.js";
import { next, type Uint64 } from "./varint.js";

/** Takes the packets that a {@link PacketReader} finds. */
export interface PacketSink {
  /**
   * Called for each packet, in order. `body` is a view of the input where the packet lay in one piece: whoever
   * keeps it keeps that input.
   * @returns false to stop reading after this packet.
   */
  onPacket(kind: number, control: boolean, stream: Uint64, message: Uint64, body: Uint8Array): boolean;
}

/**
 * Finds dRPC packets in bytes that may be cut anywhere: joins frames, keeps the order of ids, refuses what is
 * too large. Rules W4.1 to W4.3.
 *
 * Nearly all packets are one frame in one piece. Between them a reader is no more than two ids: every call has one.
 */
export class PacketReader {
  readonly #maxPacketBytes: number;
  /** The next packet's ids are these or higher. */
  #stream: Uint64 = 1;
  #message: Uint64 = 1;
  /** The packet that is being read, where it does not lie in one piece. */
  #cut: CutPacket | undefined;

  /** @param maxPacketBytes largest body of a packet, 4 MiB by default. */
  constructor(maxPacketBytes: number = defaultMaxPacketBytes) {
    this.#maxPacketBytes = maxPacketBytes;
  }

  /** True when everything so far was whole packets. */
  get isBetweenPackets(): boolean {
    return this.#cut === undefined;
  }

  /** How much is held of a packet that is not whole. */
  get heldBytes(): number {
    return this.#cut?.heldBytes ?? 0;
  }

  /**
   * Reads bytes and hands over the packets they complete.
   * @returns how many bytes were read: all, unless the sink stopped the reader.
   * @throws WireError when the bytes are not dRPC; the reader cannot be used any more.
   */
  push(bytes: Uint8Array, sink: PacketSink): number {
    let offset = 0;
    while (offset < bytes.length) {
      const end = this.#cut === undefined ? this.#findWhole(bytes, offset) : -1;
      if (end >= 0) {
        const control = bytes[offset] ?? 0;
        const body = bodyAt === end ? emptyBytes : bytes.subarray(bodyAt, end);
        const message = this.#message++;
        offset = end;
        if (!sink.onPacket((control >> 1) & 0x3f, control >= 0x80, this.#stream, message, body))
          return offset;
        continue;
      }
      this.#cut ??= new CutPacket(this.#maxPacketBytes, this.#stream, this.#message);
      const cut = this.#cut;
      offset = cut.read(bytes, offset);
      if (!cut.isWhole) return offset;
      this.#cut = undefined;
      this.#stream = cut.stream;
      this.#message = next(cut.message);
      if (!sink.onPacket(cut.kind, cut.isControl, cut.stream, cut.message, cut.takeBody())) return offset;
    }
    return offset;
  }

  /**
   * Looks for a packet that is one frame, lies there in one piece, and is in order: its ids are then those of the
   * reader, and its body is at {@link bodyAt}. Everything else is for {@link CutPacket}, which also knows what is wrong.
   * @returns its end, or -1.
   */
  #findWhole(bytes: Uint8Array, start: number): number {
    const control = bytes[start] ?? 0;
    if ((control & 1) === 0) return -1;
    let at = start + 1;
    let stream = bytes[at++] ?? cutByte;
    if (stream >= 0x80) {
      stream = shortVarint(bytes, at - 1);
      at = varintEnd;
    }
    let message = bytes[at++] ?? cutByte;
    if (message >= 0x80) {
      message = shortVarint(bytes, at - 1);
      at = varintEnd;
    }
    let length = bytes[at++] ?? cutByte;
    if (length >= 0x80) {
      length = shortVarint(bytes, at - 1);
      at = varintEnd;
    }
    if (stream < 0 || message < 0 || length < 0) return -1;
    if (length > this.#maxPacketBytes || length > bytes.length - at) return -1;
    if (stream < this.#stream || (stream === this.#stream && message < this.#message)) return -1;
    this.#stream = stream;
    this.#message = message;
    bodyAt = at;
    return at + length;
  }
}

/** Where the body begins that was found last. */
let bodyAt = 0;

/** In place of a byte that has not come yet. */
const cutByte = 0x80;
/** So many fit in 35 bits. */
const longestShortBytes = 5;
/** Where the varint ends that {@link shortVarint} has read. */
let varintEnd = 0;

/** The varint at an offset, or -1 where it is cut or longer than {@link longestShortBytes}. */
function shortVarint(bytes: Uint8Array, offset: number): number {
  let value = 0;
  let unit = 1;
  for (let i = 0; i < longestShortBytes; i++) {
    const byte = bytes[offset + i] ?? cutByte;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) {
      varintEnd = offset + i + 1;
      return value;
    }
    unit *= 0x80;
  }
  varintEnd = bytes.length;
  return -1;
}
