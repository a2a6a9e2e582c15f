import type { JsonValue } from "@bufbuild/protobuf";

/** Which way something went. The client is who dialled. */
export type Direction = "to-server" | "to-client";

/** What every event has. */
export interface ObservedAt {
  /** Milliseconds since 1970, with fractions where the clock has them. */
  time: number;
  /** The number of the connection: 1 for the first that was seen. */
  connection: number;
}

/** A connection began. */
export interface OpenEvent extends ObservedAt {
  type: "open";
  /** Path and query that were dialled, or the name of the connection where it is seen from within a program. */
  target: string;
  /** Headers of the request, names in lower case; where the request was seen. */
  headers?: Record<string, string>;
}

/** A connection ended. */
export interface EndEvent extends ObservedAt {
  type: "end";
  durationMs: number;
  /** The WebSocket close code; absent where the connection was lost without one. */
  code?: number;
  /** What came with the code, or why it was lost; absent where nothing is known. */
  reason?: string;
  /** Which way the first close went; absent where there was none. */
  direction?: Direction;
}

/** An HTTP request beside the connections, or an upgrade that was refused. Told when its answer begins. */
export interface HttpEvent {
  type: "http";
  /** Milliseconds since 1970. */
  time: number;
  method: string;
  /** Path and query. */
  target: string;
  status: number;
  /** Until the head of the answer. */
  durationMs: number;
  /** Why there was no answer, where the status is the proxy's own. */
  error?: string;
}

/** The kinds of WebSocket frames. */
export type WebSocketOpcode = "continuation" | "text" | "binary" | "close" | "ping" | "pong";

/** A WebSocket frame, which is nearly always a whole message. */
export interface WebSocketEvent extends ObservedAt {
  type: "websocket";
  direction: Direction;
  opcode: WebSocketOpcode;
  /** Of its payload. */
  bytes: number;
  /** True where more frames of the same message follow; absent otherwise. */
  isPart?: true;
  /** Of a close frame that has one. */
  code?: number;
  /** Of a close frame that has one. */
  reason?: string;
}

/** The types of yamux frames. */
export type FrameTypeName = "data" | "window-update" | "ping" | "go-away";

/** The flags of yamux frames; bits without a name are `0x10` and so on. */
export type FrameFlagName = "SYN" | "ACK" | "FIN" | "RST" | `0x${string}`;

/** A yamux frame; told when its header has passed. */
export interface FrameEvent extends ObservedAt {
  type: "frame";
  direction: Direction;
  frame: FrameTypeName;
  flags: FrameFlagName[];
  /** 0 for pings and go-aways. */
  stream: number;
  /** Bytes of a data frame, credit of a window update, value of a ping, code of a go-away. */
  length: number;
  /**
   * Bytes that may still be sent on the stream, after this frame: for data in its own direction, for a window update in
   * the other. Below 0 the sender has sent more than it may. Absent where the frame is about no open stream.
   */
  window?: number;
  /** The RPC that the stream carries, where it has begun: `/package.Service/Method`. */
  rpc?: string;
}

/** A dRPC packet, told when it is complete. */
export interface PacketEvent extends ObservedAt {
  type: "packet";
  direction: Direction;
  /** The yamux stream; 0 where there is no yamux. */
  stream: number;
  /** `Invoke`, `Message`, `Error`, `Cancel`, `Close`, `CloseSend`, `InvokeMetadata`, or `kind N`. */
  kind: string;
  /** dRPC's own stream id; text where it is beyond 2^53. */
  rpcStream: number | string;
  /** dRPC's message id; text where it is beyond 2^53. */
  message: number | string;
  /** Of its body. */
  bytes: number;
  /** True where readers that do not know the kind leave the packet out; absent otherwise. */
  isControl?: true;
  /** The RPC that it belongs to, where that has begun: `/package.Service/Method`. */
  rpc?: string;
}

/** What the events of an RPC have. */
export interface RpcObserved extends ObservedAt {
  /** The yamux stream; 0 where there is no yamux. */
  stream: number;
  /** `/package.Service/Method`. */
  rpc: string;
}

/** An RPC was invoked. */
export interface RpcBeginEvent extends RpcObserved {
  type: "rpc-begin";
  /** Absent where there was none. */
  metadata?: Record<string, string>;
}

/** A message of an RPC. */
export interface RpcMessageEvent extends RpcObserved {
  type: "rpc-message";
  direction: Direction;
  /** Of its encoding. */
  bytes: number;
  /** The message as protobuf JSON; absent where its type is not known, or it could not be decoded. */
  json?: JsonValue;
}

/** An RPC is over. */
export interface RpcEndEvent extends RpcObserved {
  type: "rpc-end";
  durationMs: number;
  /**
   * `ok`, or the code of the error as gRPC and Connect name it: `not_found`, `canceled`. `unknown` stands for an error
   * without a code of theirs, `unavailable` for a call that was cut off.
   */
  code: string;
  /** The code as it was sent, where it was none of those named; text where it is beyond 2^53. */
  drpcCode?: number | string;
  /** The text of the error; absent where it ended well. */
  error?: string;
  /** How many messages went each way, and their bytes. */
  toServer: Traffic;
  /** The same for the answers. */
  toClient: Traffic;
}

/** Messages that went one way. */
export interface Traffic {
  messages: number;
  bytes: number;
}

/**
 * Bytes that are not what they should be. What they belong to (the message, the stream, or one direction of the
 * connection) is passed on as before, and not decoded any further.
 */
export interface BrokenEvent extends ObservedAt {
  type: "broken";
  direction: Direction;
  /** Where: WebSocket frames, yamux, dRPC, or a message. */
  layer: "websocket" | "yamux" | "drpc" | "message";
  /** Absent where it concerns the whole direction. */
  stream?: number;
  /** Absent where it concerns no RPC. */
  rpc?: string;
  text: string;
}

/** What a connection's decoder tells. */
export type ConnectionEvent =
  | OpenEvent
  | EndEvent
  | WebSocketEvent
  | FrameEvent
  | PacketEvent
  | RpcBeginEvent
  | RpcMessageEvent
  | RpcEndEvent
  | BrokenEvent;

/** What is told about wires: events of connections, and of HTTP requests beside them. All of them are plain JSON. */
export type WireEvent = ConnectionEvent | HttpEvent;

/** Takes events as they happen. It must not throw, and must not change them. */
export type WireListener<Event extends WireEvent = ConnectionEvent> = (event: Event) => void;
