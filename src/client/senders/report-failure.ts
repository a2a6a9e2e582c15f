import { Code, ConnectError } from "@connectrpc/connect";
import { isUnimplemented, RpcError } from "../../rpc/index.js";
import { TransportError } from "../../transport/index.js";
import { HttpError } from "../http/request-errors.js";
import { pause } from "../pause.js";

/**
 * What the failure of a report says about the next attempt:
 * - `refused`: the server has answered, and would answer the same again
 * - `unsendable`: it cannot be encoded, or is over the connection's `maxMessageBytes`; it never left
 * - `unanswered`: no answer came in time, or none that says anything about the report; another call may get one
 * - `lost`: the connection is of no use any more
 *
 * With the last two nobody knows whether the report has arrived.
 */
export type FailureKind = "refused" | "unsendable" | "unanswered" | "lost";

/** A stream may end a moment before the session under it does. */
const endingMs = 100;

const lostCodes: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Canceled, Code.Aborted]);
/** Of HTTP: those that are about the caller or the moment, not about the report. */
const passingStatuses: ReadonlySet<number> = new Set([401, 403, 408, 429]);

/** Tells failures of calls apart. Errors that are none of a call count as `lost`. */
export function failureKind(error: unknown): FailureKind {
  if (!(error instanceof ConnectError)) return "lost";
  if (error instanceof HttpError) {
    const { status = 500 } = error;
    return status < 500 && !passingStatuses.has(status) ? "refused" : "unanswered";
  }
  if (error.code === Code.DeadlineExceeded) return "unanswered";
  if (!(error instanceof RpcError)) return lostCodes.has(error.code) ? "lost" : "refused";
  if (error.drpcCode !== undefined) return "refused";
  // the others that wait for a stream will get theirs
  const { cause } = error;
  if (cause instanceof TransportError && cause.code === "too-many-waiting") return "unanswered";
  const isLocal = error.code === Code.InvalidArgument || error.code === Code.ResourceExhausted;
  if (error.layer === "rpc" && isLocal) return "unsendable";
  return error.layer === "session" || error.layer === "connection" ? "lost" : "unanswered";
}

/**
 * Whether an error ends what goes on over this connection: the signal has ended, the server does not have the RPC, or
 * the connection is lost.
 */
export function endsRun(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted || isUnimplemented(error) || failureKind(error) === "lost";
}

/** For the failures that a sender takes care of itself. @throws the error when it {@link endsRun}. */
export function throwIfRunEnds(error: unknown, signal: AbortSignal): void {
  if (endsRun(error, signal)) throw error;
}

/** After a report without an answer: waits a moment. @throws the signal's reason when it was the connection that ended. */
export function unlessConnectionEnds(signal: AbortSignal): Promise<void> {
  return pause(endingMs, signal);
}
