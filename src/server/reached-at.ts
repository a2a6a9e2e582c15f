import type { IncomingHttpHeaders } from "node:http";

/** Under which address a caller reached this server, as far as its request says. */
export interface ReachedAt {
  /** Without brackets where it is an IPv6 address. */
  hostname: string;
  port: number;
  /** Whether the caller spoke TLS, to this server or to the proxy in front of it. */
  isTls: boolean;
}

/** What of a request says how the server was reached. */
export interface ReachingRequest {
  headers: IncomingHttpHeaders;
  /** Whether the connection itself has TLS. */
  isTls: boolean;
}

/** Names, IPv4 addresses, and IPv6 addresses in brackets, maybe with a port. */
const hostPattern = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Where a request says that it has reached this server: its `Host`, and TLS where the connection has it or a proxy
 * says so with `X-Forwarded-Proto: https`. Whoever asks can write anything there: use it for that caller alone.
 * @returns undefined when there is no host name that can be one.
 */
export function reachedAtOf({ headers, isTls }: ReachingRequest): ReachedAt | undefined {
  const host = headers.host ?? headers[":authority"];
  if (typeof host !== "string" || !hostPattern.test(host)) return undefined;
  const forwarded = String(headers["x-forwarded-proto"] ?? "").split(",", 1)[0];
  const hasTls = isTls || forwarded?.trim().toLowerCase() === "https";
  const text = `${hasTls ? "https" : "http"}://${host}`;
  if (!URL.canParse(text)) return undefined;
  const { hostname, port } = new URL(text);
  // what is no port in the text is the one of the protocol
  const usualPort = hasTls ? 443 : 80;
  return {
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? usualPort : Number(port),
    isTls: hasTls,
  };
}
