import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorPayload, type Uint64, WireError } from "../codec/index.js";
import { TransportError, type TransportErrorCode, type TransportLayer } from "../transport/index.js";
import { errorText } from "./error-text.js";

/** At which layer a call failed: in the answer of the handler, or below. */
export type RpcErrorLayer = "rpc" | "drpc" | TransportLayer | "dial" | "http";

/** What an {@link RpcError} knows besides code and text. */
export interface RpcErrorFacts {
  layer: RpcErrorLayer;
  /** The RPC, as `/package.Service/Method`. */
  rpc?: string | undefined;
  /** The dRPC code, where the other side sent one. 0 means that it sent none. */
  drpcCode?: Uint64 | undefined;
  /** The yamux stream. */
  streamId?: number | undefined;
  cause?: unknown;
}

const brand = Symbol.for("agentwire.RpcError");

/**
 * Why a call failed. It is a `ConnectError`, so `code` and `rawMessage` are there; `rawMessage` is the text of
 * the other side, unchanged, where that side sent one.
 */
export class RpcError extends ConnectError {
  readonly layer: RpcErrorLayer;
  readonly rpc: string | undefined;
  readonly drpcCode: Uint64 | undefined;
  readonly streamId: number | undefined;

  constructor(message: string, code: Code, facts: RpcErrorFacts) {
    super(message, code, undefined, undefined, facts.cause);
    this.layer = facts.layer;
    this.rpc = facts.rpc;
    this.drpcCode = facts.drpcCode;
    this.streamId = facts.streamId;
    Object.defineProperty(this, brand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): value is RpcError {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/** How the reference server begins its answer to an RPC that it does not have. W4.7. */
const unknownRpcPrefix = "protocol error: unknown rpc: ";

/** The answer to an RPC that is not there. */
export function unknownRpcText(quotedName: string): string {
  return unknownRpcPrefix + quotedName;
}

/** The text of a method that is registered and not implemented; its code is 12. W4.9. */
export const unimplementedText = "Unimplemented";

/**
 * True when the other side does not have the RPC: code 12, or the unknown-RPC text of the reference server,
 * which travels with code 0. W4.7.
 */
export function isUnimplemented(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unimplemented;
}

/** The error of an Error packet. */
export function remoteError(payload: ErrorPayload, rpc: string, streamId: number): RpcError {
  return new RpcError(payload.text, codeOf(payload), { layer: "rpc", rpc, streamId, drpcCode: payload.code });
}

function codeOf({ code, text }: ErrorPayload): Code {
  if (code === 0) return text.startsWith(unknownRpcPrefix) ? Code.Unimplemented : Code.Unknown;
  return typeof code === "number" && Code[code] !== undefined ? code : Code.Unknown;
}

/** What a handler's error is on the wire: its own code and raw message; code 0 for anything that has none. W4.9. */
export function errorPayload(error: unknown): ErrorPayload {
  if (error instanceof ConnectError) {
    const own = (error as { drpcCode?: unknown }).drpcCode;
    const code = typeof own === "number" || typeof own === "bigint" ? own : error.code;
    return { code, text: error.rawMessage };
  }
  return { code: 0, text: errorText(error) };
}

const codes: Partial<Record<TransportErrorCode, Code>> = {
  "too-many-waiting": Code.ResourceExhausted,
  "ids-exhausted": Code.ResourceExhausted,
  "stream-reset": Code.Aborted,
  "protocol-error": Code.Internal,
  "peer-protocol-error": Code.Internal,
  "failed-locally": Code.Internal,
};

/** The error of a call whose stream, session or connection failed. */
export function transportFailure(error: TransportError, rpc: string): RpcError {
  return new RpcError(`${rpc}: ${error.message}`, codes[error.code] ?? Code.Unavailable, {
    layer: error.layer,
    rpc,
    streamId: error.streamId,
    cause: error,
  });
}

/** The error of a call whose answer was not dRPC. */
function wireFailure(error: WireError, rpc: string, streamId: number): RpcError {
  const code = error.code === "data-overflow" ? Code.ResourceExhausted : Code.Internal;
  return new RpcError(`${rpc}: ${error.message}`, code, { layer: "drpc", rpc, streamId, cause: error });
}

/** Any error as one of a call. A `ConnectError` stays what it is. */
export function failureOf(error: unknown, rpc: string, streamId: number): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof TransportError) return transportFailure(error, rpc);
  if (error instanceof WireError) return wireFailure(error, rpc, streamId);
  const text = errorText(error);
  return new RpcError(`${rpc}: ${text}`, Code.Internal, { layer: "rpc", rpc, streamId, cause: error });
}

/** The error of a call that its own side gave up: by signal, or by deadline. */
export function givenUp(
  rpc: string,
  why: "canceled" | "deadline",
  cause?: unknown,
  timeoutMs?: number,
): RpcError {
  if (why === "deadline") {
    return new RpcError(`${rpc}: the deadline of ${timeoutMs} ms has passed`, Code.DeadlineExceeded, {
      layer: "rpc",
      rpc,
    });
  }
  const text = cause instanceof Error && cause.message !== "" ? `: ${cause.message}` : "";
  return new RpcError(`${rpc}: canceled by its caller${text}`, Code.Canceled, { layer: "rpc", rpc, cause });
}

/** The error of a call that the server cancelled. */
export function canceledByServer(rpc: string): RpcError {
  return new RpcError(`${rpc}: canceled by the server`, Code.Canceled, { layer: "rpc", rpc });
}
