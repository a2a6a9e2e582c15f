/**
 * Bytes to values and back, without I/O, timers or imports: the dRPC and yamux frames, the frames of the boundary
 * audit socket, UUIDs.
 */
export {
  BoundaryFrameReader,
  BoundaryTag,
  encodeBoundaryFrame,
  maxBoundaryPayloadBytes,
} from "./boundary-frame.js";
export { BytePieces, compacted, emptyBytes } from "./byte-pieces.js";
export type { ErrorPayload } from "./drpc-error.js";
export { decodeError, encodeError } from "./drpc-error.js";
export {
  controlByte,
  defaultMaxPacketBytes,
  defaultSplitBytes,
  encodePacket,
  frameHeaderLength,
  PacketKind,
  packetKindName,
  packetLength,
  packetParts,
  writeFrameHeader,
  writePacket,
} from "./drpc-frame.js";
export { decodeMetadata, encodeMetadata } from "./drpc-metadata.js";
export type { PacketSink } from "./drpc-packet-reader.js";
export { PacketReader } from "./drpc-packet-reader.js";
export type { WireErrorCode } from "./errors.js";
export { WireError } from "./errors.js";
export type { MessageCodec, MessageCodecs, MessageDecoder, MessageEncoder } from "./protobuf/index.js";
export { joinCodecs } from "./protobuf/index.js";
export { decodeUtf8, encodeUtf8 } from "./utf8.js";
export { formatUuid, nilUuid, normalizeUuid, parseUuid, uuidBytes } from "./uuid.js";
export type { Uint64 } from "./varint.js";
export { maxVarintBytes, next, uint64, VarintAccumulator, varintLength, writeVarint } from "./varint.js";
export type { FrameSink } from "./yamux-frame-reader.js";
export { YamuxFrameReader } from "./yamux-frame-reader.js";
export type { YamuxHeader } from "./yamux-header.js";
export {
  Flag,
  FrameType,
  GoAwayCode,
  headerBytes,
  initialWindowBytes,
  readHeader,
  writeHeader,
} from "./yamux-header.js";
