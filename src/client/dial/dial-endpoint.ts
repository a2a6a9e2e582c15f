import { Code, ConnectError } from "@connectrpc/connect";
import { errorText } from "../../rpc/error-text.js";
import { createYamuxSession, type YamuxSession } from "../../transport/index.js";
import { type ApiVersion, newestVersion, parseVersion, versionNamedIn } from "../../version/index.js";
import { shownUrl } from "../http/api-url.js";
import { DialError } from "../http/request-errors.js";
import { TimeLimit } from "../time-limit.js";
import { freshToken } from "../tokens/token-source.js";
import { unlessAborted } from "../until-aborted.js";
import type { EndpointOptions, VersionChoice } from "./dial-options.js";
import type { Attempt, SocketOpener } from "./socket-opener.js";

const defaultOpenTimeoutMs = 30_000;
const defaultMaxWebSocketMessageBytes = 16 * 1024 * 1024;

/** What is dialled, and what a session there becomes. */
export interface Endpoint<C> {
  version: VersionChoice;
  /** Where it is, for a version. @throws TypeError when that is no URL. */
  url(version: ApiVersion): URL;
  /** What of the URL must not be shown. */
  secrets?: readonly string[];
  /** @param token the one that the endpoint has accepted. */
  connection(session: YamuxSession, version: ApiVersion, token: string): C;
}

/** One dial, which may take two attempts. */
interface Dial<C> {
  opener: SocketOpener;
  options: EndpointOptions;
  endpoint: Endpoint<C>;
  limit: TimeLimit;
}

/** Dials an endpoint with the WebSockets of a runtime. The connection counts when the multiplexer has answered. */
export async function dialEndpoint<C>(
  opener: SocketOpener,
  options: EndpointOptions,
  endpoint: Endpoint<C>,
): Promise<C> {
  const version = endpoint.version === "negotiate" ? newestVersion : parseVersion(endpoint.version);
  const shown = shownUrl(endpoint.url(version));
  const { openTimeoutMs = defaultOpenTimeoutMs, signal } = options;
  const limit = new TimeLimit(openTimeoutMs, signal, `not open within ${openTimeoutMs} ms`);
  const dial: Dial<C> = { opener, options, endpoint, limit };
  try {
    return await (endpoint.version === "negotiate" ? negotiate(dial) : open(dial, version));
  } catch (error) {
    throw dialFailure(shown, error, limit);
  } finally {
    limit.release();
  }
}

/** Dials the newest version; when the server names an older one, dials that, once. */
async function negotiate<C>(dial: Dial<C>): Promise<C> {
  try {
    return await open(dial, newestVersion, true);
  } catch (error) {
    const named = namedVersion(error);
    if (named === undefined || !isOlder(named, newestVersion)) throw error;
    return await open(dial, named);
  }
}

/** True for an older version of the same API: anything else this side does not speak. */
function isOlder(named: ApiVersion, asked: ApiVersion): boolean {
  return named.major === asked.major && named.minor < asked.minor;
}

function namedVersion(error: unknown): ApiVersion | undefined {
  if (!(error instanceof DialError) || error.status !== 400) return undefined;
  const validation = error.validations.find(({ field }) => field === "version");
  return validation === undefined ? undefined : versionNamedIn(validation.detail);
}

async function open<C>(dial: Dial<C>, version: ApiVersion, isTentative = false): Promise<C> {
  const { opener, options, endpoint } = dial;
  const { signal } = dial.limit;
  // where a token comes from may not listen to the signal
  const token = await unlessAborted(freshToken(options.token, signal), signal);
  const attempt: Attempt = {
    url: endpoint.url(version),
    token,
    secrets: [token, ...(endpoint.secrets ?? [])],
    headers: options.headers ?? {},
    maxMessageBytes: options.maxWebSocketMessageBytes ?? defaultMaxWebSocketMessageBytes,
    signal,
  };
  if (isTentative) await opener.check?.(attempt);
  const opened = await opener.open(attempt);
  const connection = options.observer?.(opened, "client") ?? opened;
  const session = createYamuxSession(connection, { role: "client", ...options.yamux });
  await firstPing(session, signal);
  return endpoint.connection(session, version, token);
}

/** An upgraded socket may still lead nowhere: the connection counts when the multiplexer has answered. */
async function firstPing(session: YamuxSession, signal: AbortSignal): Promise<void> {
  const giveUp = () => void session.close();
  signal.addEventListener("abort", giveUp);
  try {
    await session.ping();
  } catch (error) {
    await session.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  signal.throwIfAborted();
}

/** Why a dial has failed: what ended it, or else what was thrown. */
function dialFailure(url: string, error: unknown, limit: TimeLimit): ConnectError {
  const { signal } = limit;
  if (limit.isOver) return new DialError(url, errorText(signal.reason), Code.DeadlineExceeded);
  if (signal.aborted)
    return new DialError(url, "canceled by its caller", Code.Canceled, { cause: signal.reason });
  if (error instanceof ConnectError) return error;
  return new DialError(url, errorText(error), Code.Unavailable, { cause: error });
}
