import { Code, ConnectError } from "@connectrpc/connect";
import type { TimeLimit } from "../time-limit.js";
import { HttpError } from "./request-errors.js";

/**
 * Why a request has failed.
 * @param name the request, as errors show it.
 * @returns the error itself where it is one of a request already.
 */
export function requestFailure(name: string, error: unknown, limit: TimeLimit): ConnectError {
  if (limit.isOver) {
    return new HttpError(name, `no answer within ${limit.timeoutMs} ms`, Code.DeadlineExceeded);
  }
  if (error instanceof ConnectError) return error;
  if (limit.signal.aborted) {
    return new HttpError(name, "canceled by its caller", Code.Canceled, { cause: error });
  }
  return new HttpError(name, reasonOf(error), Code.Unavailable, { cause: error });
}

/** `fetch` says only that it failed; why is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(error instanceof TypeError) || !(cause instanceof Error)) return error.message;
  const { code } = cause as { code?: unknown };
  return cause.message || (typeof code === "string" ? code : error.message);
}
