/** Why a connection, a session or a stream ended or refused something, as a stable word. docs/errors.md lists them. */
export type TransportErrorCode =
  /** This side closed the session or the connection. */
  | "closed-locally"
  /** This side failed in a way that it should not. */
  | "failed-locally"
  /** The other side closed the connection in order. */
  | "closed-by-peer"
  /** The connection broke, or was closed with an error. */
  | "connection-lost"
  /** A text message came on a WebSocket, or one that is too large. */
  | "connection-misused"
  /** The other side broke the yamux protocol. */
  | "protocol-error"
  /** The other side says that this side broke the yamux protocol. */
  | "peer-protocol-error"
  /** The other side says that it failed. */
  | "peer-internal-error"
  /** A ping had no answer in time. */
  | "ping-timeout"
  /** A stream that this side opened was not acknowledged in time. */
  | "open-timeout"
  /** The other side accepts no new streams. */
  | "not-accepting"
  /** Too many callers wait for a stream. */
  | "too-many-waiting"
  /** All stream ids have been used. */
  | "ids-exhausted"
  /** The other side reset a stream before it acknowledged it. */
  | "stream-refused"
  /** The other side reset a stream. */
  | "stream-reset"
  /** This side reset a stream, or used one after its end. */
  | "stream-ended";

/** At which layer something happened. */
export type TransportLayer = "connection" | "session" | "stream";

const brand = Symbol.for("agentwire.TransportError");

/** What ended a connection, a session or a stream; every waiter gets it. */
export class TransportError extends Error {
  readonly code: TransportErrorCode;
  readonly layer: TransportLayer;
  /** The yamux stream, where it is about one. */
  readonly streamId: number | undefined;
  /** The close code of the WebSocket, where it ended with one. */
  readonly closeCode: number | undefined;

  constructor(
    layer: TransportLayer,
    code: TransportErrorCode,
    message: string,
    facts: { streamId?: number; closeCode?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "TransportError";
    this.layer = layer;
    this.code = code;
    this.streamId = facts.streamId;
    this.closeCode = facts.closeCode;
    Object.defineProperty(this, brand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }
}
