import { type Uint64, varintLength, writeVarint } from "./varint.js";

/** What a dRPC packet is for. W4.1. */
export const PacketKind = {
  /** Begins an RPC; the body is its name, such as `/coder.agent.v2.Agent/GetManifest`. */
  Invoke: 1,
  /** One message; the body is its encoding. */
  Message: 2,
  /** Ends the RPC; the body is a code of eight bytes, big endian, and a text. */
  Error: 3,
  /** The caller wants no answer any more; no body. */
  Cancel: 4,
  /** Nothing more will come or be taken from this side; no body. */
  Close: 5,
  /** No more messages will come from this side; no body. */
  CloseSend: 6,
  /** Goes before Invoke; the body is key and value pairs. */
  InvokeMetadata: 7,
} as const;
export type PacketKind = (typeof PacketKind)[keyof typeof PacketKind];

/** A packet kind in words, for error texts. */
export function packetKindName(kind: number): string {
  return Object.keys(PacketKind)[kind - 1] ?? `kind ${kind}`;
}

/** Writers cut a packet's body into frames of this size. W4.2. */
export const defaultSplitBytes = 64 * 1024;

/** Readers refuse a packet with a larger body. W4.3. */
export const defaultMaxPacketBytes = 4 * 1024 * 1024;

/** First byte of a frame: bit 0 done, bits 1 to 6 kind, bit 7 control. */
export function controlByte(kind: number, done: boolean, control: boolean): number {
  return (control ? 0x80 : 0) | (kind << 1) | (done ? 1 : 0);
}

/** Bytes of a frame's header: control byte and three varints. */
export function frameHeaderLength(stream: Uint64, message: Uint64, bodyLength: number): number {
  return 1 + varintLength(stream) + varintLength(message) + varintLength(bodyLength);
}

/**
 * Writes a frame's header.
 * @returns the offset after it.
 */
export function writeFrameHeader(
  out: Uint8Array,
  offset: number,
  control: number,
  stream: Uint64,
  message: Uint64,
  bodyLength: number,
): number {
  out[offset++] = control;
  offset = writeVarint(out, offset, stream);
  offset = writeVarint(out, offset, message);
  return writeVarint(out, offset, bodyLength);
}

/** How many bytes {@link writePacket} writes. */
export function packetLength(
  stream: Uint64,
  message: Uint64,
  bodyLength: number,
  splitBytes: number = defaultSplitBytes,
): number {
  const header = 1 + varintLength(stream) + varintLength(message);
  if (bodyLength <= splitBytes) return header + varintLength(bodyLength) + bodyLength;
  const whole = Math.floor(bodyLength / splitBytes);
  const rest = bodyLength % splitBytes;
  const wholeBytes = whole * (header + varintLength(splitBytes));
  return wholeBytes + (rest > 0 ? header + varintLength(rest) : 0) + bodyLength;
}

/**
 * Writes a packet as one frame, or as several of at most `splitBytes` bytes of body.
 * @returns the offset after it.
 */
export function writePacket(
  out: Uint8Array,
  offset: number,
  kind: number,
  stream: Uint64,
  message: Uint64,
  body: Uint8Array,
  splitBytes: number = defaultSplitBytes,
): number {
  let at = 0;
  do {
    const end = Math.min(body.length, at + splitBytes);
    const control = controlByte(kind, end === body.length, false);
    offset = writeFrameHeader(out, offset, control, stream, message, end - at);
    out.set(at === 0 && end === body.length ? body : body.subarray(at, end), offset);
    offset += end - at;
    at = end;
  } while (at < body.length);
  return offset;
}

/** A packet as bytes. Writes what {@link writePacket} does into an array of its own. */
export function encodePacket(
  kind: number,
  stream: Uint64,
  message: Uint64,
  body: Uint8Array,
  splitBytes: number = defaultSplitBytes,
): Uint8Array {
  const out = new Uint8Array(packetLength(stream, message, body.length, splitBytes));
  writePacket(out, 0, kind, stream, message, body, splitBytes);
  return out;
}

/**
 * A packet as parts: frame headers of their own, and views of the body between them, so that a large body is not
 * copied.
 */
export function packetParts(
  parts: Uint8Array[],
  kind: number,
  stream: Uint64,
  message: Uint64,
  body: Uint8Array,
  splitBytes: number = defaultSplitBytes,
): void {
  let at = 0;
  do {
    const end = Math.min(body.length, at + splitBytes);
    const header = new Uint8Array(frameHeaderLength(stream, message, end - at));
    writeFrameHeader(header, 0, controlByte(kind, end === body.length, false), stream, message, end - at);
    parts.push(header);
    if (end > at) parts.push(body.subarray(at, end));
    at = end;
  } while (at < body.length);
}
