/**
 * Byte streams and their multiplexing, for every runtime: the seam that a WebSocket, a socket or a pipe fits
 * in, and yamux on it. On Node the same entry also has `ws` WebSockets, TCP and Unix sockets.
 */

export type { ByteConnection, ConnectionReceiver } from "./connection.js";
export { CloseCode, closedByPeer, closedLocally, connectionLost, cutReason } from "./connection.js";
export type { ConnectionObserver, ConnectionSide } from "./connection-observer.js";
export type { ConnectionStream, ConnectionStreamOptions } from "./connection-stream.js";
export { connectionStream } from "./connection-stream.js";
export type { DuplexStream, StreamReceiver } from "./duplex-stream.js";
export type { TransportErrorCode, TransportLayer } from "./errors.js";
export { TransportError } from "./errors.js";
export { createMemoryPair } from "./memory.js";
export { PulledStream } from "./pulled-stream.js";
export type { StandardWebSocket } from "./web-socket.js";
export { webSocketConnection } from "./web-socket.js";
export { createYamuxSession } from "./yamux/live-session.js";
export type { ResolvedYamuxOptions, YamuxOptions } from "./yamux/options.js";
export { resolveYamuxOptions } from "./yamux/options.js";
export type { SessionOptions, YamuxSession } from "./yamux/session.js";
export type { StreamFlow, YamuxStream } from "./yamux/stream.js";
export { StreamState } from "./yamux/stream-state.js";
