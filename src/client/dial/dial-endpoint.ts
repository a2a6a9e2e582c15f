import { Code, ConnectError } from "@connectrpc/connect";
import { errorText } from "../../rpc/error-text.js";
import { createYamuxSession, type YamuxSession } from "../../transport/index.js";
import { type ApiVersion, newestVersion, parseVersion, versionNamedIn } from "../../version/index.js";
import { shownUrl } from "../http/api-url.js";
import { DialError } from "../http/request-errors.js";
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
  deadline: Deadline;
}

/** Dials an endpoint with the WebSockets of a runtime. The connection counts when the multiplexer has answered. */
export async function dialEndpoint<C>(
  opener: SocketOpener,
  options: EndpointOptions,
  endpoint: Endpoint<C>,
): Promise<C> {
  const version = endpoint.version === "negotiate" ? newestVersion : parseVersion(endpoint.version);
  const shown = shownUrl(endpoint.url(version));
  const deadline = new Deadline(shown, options.openTimeoutMs ?? defaultOpenTimeoutMs, options.signal);
  const dial: Dial<C> = { opener, options, endpoint, deadline };
  try {
    return await (endpoint.version === "negotiate" ? negotiate(dial) : open(dial, version));
  } catch (error) {
    throw deadline.error ?? asDialError(shown, error);
  } finally {
    deadline.release();
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
  const { opener, options, endpoint, deadline } = dial;
  // where a token comes from may not listen to the signal
  const token = await unlessAborted(freshToken(options.token, deadline.signal), deadline.signal);
  const attempt: Attempt = {
    url: endpoint.url(version),
    token,
    secrets: [token, ...(endpoint.secrets ?? [])],
    headers: options.headers ?? {},
    maxMessageBytes: options.maxWebSocketMessageBytes ?? defaultMaxWebSocketMessageBytes,
    signal: deadline.signal,
  };
  if (isTentative) await opener.check?.(attempt);
  const opened = await opener.open(attempt);
  const connection = options.observer?.(opened, "client") ?? opened;
  const session = createYamuxSession(connection, { role: "client", ...options.yamux });
  await firstPing(session, deadline);
  return endpoint.connection(session, version, token);
}

/** An upgraded socket may still lead nowhere: the connection counts when the multiplexer has answered. */
async function firstPing(session: YamuxSession, deadline: Deadline): Promise<void> {
  const giveUp = () => void session.close();
  deadline.signal.addEventListener("abort", giveUp);
  try {
    await session.ping();
  } catch (error) {
    await session.close();
    throw error;
  } finally {
    deadline.signal.removeEventListener("abort", giveUp);
  }
  deadline.signal.throwIfAborted();
}

/** One time-out and one signal over all of a dial. */
class Deadline {
  readonly #abort = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = () => this.#end("canceled by its caller", Code.Canceled, this.#outer?.reason);
  readonly #url: string;
  error: DialError | undefined;

  constructor(url: string, timeoutMs: number, outer: AbortSignal | undefined) {
    this.#url = url;
    this.#outer = outer;
    this.#timer = setTimeout(
      () => this.#end(`not open within ${timeoutMs} ms`, Code.DeadlineExceeded),
      timeoutMs,
    );
    outer?.addEventListener("abort", this.#onAbort);
    if (outer?.aborted) this.#onAbort();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#onAbort);
  }

  #end(reason: string, code: Code, cause?: unknown): void {
    this.error = new DialError(this.#url, reason, code, { cause });
    this.#abort.abort(this.error);
  }
}

function asDialError(url: string, error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  return new DialError(url, errorText(error), Code.Unavailable, { cause: error });
}
