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
}

/** A request as those who say who asks are given it. S1.6. */
export function dialRequestOf(request: IncomingMessage): DialRequest {
  const url = new URL(request.url ?? "/", "http://localhost");
  const { headers } = request;
  const { remoteAddress } = request.socket;
  const reachedAt = reachedAtOf({ headers, isTls: "encrypted" in request.socket });
  return {
    token: sessionToken({ headers, query: url.searchParams }),
    headers,
    url,
    remoteAddress,
    reachedAt,
  };
}
