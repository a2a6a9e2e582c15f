import { TransportError } from "./errors.js";

/**
 * A byte stream in both directions: what a session needs of a WebSocket, a socket or a pipe. Where the medium
 * has messages their boundaries carry no meaning (W1.1).
 *
 * The shape is push, without promises, because it is on the way of every call: bytes in are handed to a
 * receiver, bytes out are taken at once and counted until the network has them.
 */
export interface ByteConnection {
  /** What it is, for error texts: `ws://host/path`, `memory`, `/run/agent.sock`. */
  readonly name: string;

  /** Bytes taken by {@link write} that the network has not taken yet. */
  readonly bufferedBytes: number;

  /**
   * True where what was given to {@link write} is not looked at any more once {@link bufferedBytes} says that it has
   * left: its memory may be used again then. Elsewhere it never may.
   */
  readonly releasesMemory?: boolean;

  /** Starts delivery. Called once, before anything else; nothing is lost that arrived earlier. */
  attach(receiver: ConnectionReceiver): void;

  /**
   * Takes bytes to send, as one message where there are messages. The caller must not change them afterwards; see
   * {@link releasesMemory}.
   * The receiver is never called before it returns. After the end it does nothing.
   */
  write(bytes: Uint8Array): void;

  /** Stops delivery, so that the other side is held back. */
  pauseReading(): void;
  /** Goes on with delivery. */
  resumeReading(): void;

  /**
   * Ends it in order: what was written leaves first. The receiver's `onEnd` follows, at the latest after a time
   * that is the connection's own. Does nothing after the end.
   * @param code a WebSocket close code; media without codes ignore it.
   * @param reason for the other side; cut to 123 bytes.
   */
  close(code: number, reason: string): void;

  /** Ends it at once; what was not sent is lost. */
  abort(): void;
}

/** Takes what a connection delivers. No method may throw. */
export interface ConnectionReceiver {
  /** The bytes belong to the receiver and do not change. */
  onBytes(bytes: Uint8Array): void;
  /** `bufferedBytes` fell to zero, or near it. Called at least after it was above a few kilobytes. */
  onDrain(): void;
  /** The last call, exactly once. The error says how it ended, also when it was in order. */
  onEnd(end: TransportError): void;
}

/** The close codes that this stack sends. */
export const CloseCode = {
  Normal: 1000,
  GoingAway: 1001,
  ProtocolError: 1002,
  UnsupportedData: 1003,
  InternalError: 1011,
} as const;

/** A close frame has room for this much of a reason. */
const maxReasonBytes = 123;

/** Cuts a close reason to what fits in a close frame, between two characters. */
export function cutReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= maxReasonBytes) return reason;
  let end = maxReasonBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** How a connection ended that the other side closed: 1000 and 1001 are in order, all else is not. W2.4. */
export function closedByPeer(name: string, code: number, reason: string): TransportError {
  const isInOrder = code === CloseCode.Normal || code === CloseCode.GoingAway;
  const why = reason === "" ? `${code}` : `${code}: ${reason}`;
  return new TransportError(
    "connection",
    isInOrder ? "closed-by-peer" : "connection-lost",
    `${name}: closed by the peer (${why})`,
    { closeCode: code },
  );
}

/** How a connection ended that this side closed. */
export function closedLocally(name: string): TransportError {
  return new TransportError("connection", "closed-locally", `${name}: closed by this side`);
}

/** How a connection ended that broke. */
export function connectionLost(name: string, cause?: unknown): TransportError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  return new TransportError("connection", "connection-lost", `${name}: the connection was lost${why}`, {
    cause,
  });
}
