/**
 * What goes over connections, as events of all layers: WebSocket messages, yamux frames, dRPC packets, RPCs and their
 * messages. For programs that watch their own connections, and for those that look at what others have recorded.
 */

export type { DecoderOptions } from "./connection-decoder.js";
export { ConnectionDecoder } from "./connection-decoder.js";
export type {
  BrokenEvent,
  ConnectionEvent,
  Direction,
  EndEvent,
  FrameEvent,
  FrameFlagName,
  FrameTypeName,
  HttpEvent,
  ObservedAt,
  OpenEvent,
  PacketEvent,
  RpcBeginEvent,
  RpcEndEvent,
  RpcMessageEvent,
  RpcObserved,
  Traffic,
  WebSocketEvent,
  WebSocketOpcode,
  WireEvent,
  WireListener,
} from "./events.js";
export type { ObservingOptions } from "./observing.js";
export { observing } from "./observing.js";
export type { RecordingHead } from "./recording.js";
export { RecordingError, readRecordedEvent, readRecordingHead, recordingLine } from "./recording.js";
export type { WebSocketFrame, WebSocketSink } from "./web-socket-reader.js";
export { WebSocketReader } from "./web-socket-reader.js";
