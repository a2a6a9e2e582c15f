import type { IncomingMessage } from "node:http";
import { type ReachedAt, reachedAtOf } from "./reached-at.js";
import { sessionToken } from "./session-token.js";

/** What is known of a request before its session. */
export interface DialRequest {
  /** The token, from the first of the five places that has one; undefined where none has. */
  token: string | undefined;
  headers: IncomingMessage["headers"];
  url: URL;
  remoteAddress: string | undefined;
  /** Where the caller reached this server, as the request says; undefined where it says nothing of use. */
  reachedAt?: ReachedAt | undefined;
  /**
   * Ends when nobody waits for the answer any more: the client has left, it has taken too long, or the server closes.
   * Give it to what is asked on the way, such as `fetch`.
   */
  signal: AbortSignal;
}

/** A request as those who say who asks are given it. S1.6. */
export function dialRequestOf(request: IncomingMessage, signal: AbortSignal): DialRequest {
  const url = new URL(request.url ?? "/", "http://localhost");
  const { headers } = request;
  const token = sessionToken({ headers, query: url.searchParams });
  return { token, headers, url, ...addressesOf(request), signal };
}

/** Where a request has come from, and where to. */
export function addressesOf(
  request: IncomingMessage,
): Required<Pick<DialRequest, "remoteAddress" | "reachedAt">> {
  const { headers, socket } = request;
  const reachedAt = reachedAtOf({ headers, isTls: "encrypted" in socket });
  return { remoteAddress: socket.remoteAddress, reachedAt };
}
