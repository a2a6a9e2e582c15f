/**
 * What generated codecs are made of: reading and writing Protobuf without reflection.
 */

export type { MessageCodec, MessageCodecs, MessageDecoder, MessageEncoder } from "./message-codec.js";
export {
  callerCodecs,
  codecTable,
  joinCodecs,
  messageCodec,
  messageDecoder,
  messageEncoder,
  messageShape,
  noBytes,
  setEntry,
} from "./message-codec.js";
export type { ReadMessage } from "./reader.js";
export { Reader } from "./reader.js";
export type { JsonObject, JsonValue } from "./struct.js";
export { readStruct, writeStruct } from "./struct.js";
export type { UnknownField, WriteMessage } from "./writer.js";
export { Writer } from "./writer.js";
