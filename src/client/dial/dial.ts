import { Code, ConnectError } from "@connectrpc/connect";
import { errorText } from "../../rpc/error-text.js";
import { type ByteConnection, createYamuxSession, type YamuxSession } from "../../transport/index.js";
import {
  type ApiVersion,
  type ApiVersionText,
  formatVersion,
  newestVersion,
  parseVersion,
  versionNamedIn,
} from "../../version/index.js";
import { rpcUrl, shownUrl } from "../http/api-url.js";
import { DialError } from "../http/request-errors.js";
import { freshToken } from "../tokens/token-source.js";
import { type AgentConnection, createAgentConnection, type NewestVersionText } from "./connection.js";
import type { DialOptions, VersionChoice } from "./dial-options.js";

const defaultOpenTimeoutMs = 30_000;
const defaultMaxWebSocketMessageBytes = 16 * 1024 * 1024;

/** What one attempt to open a WebSocket is given. */
export interface Attempt {
  url: URL;
  token: string;
  headers: Readonly<Record<string, string>>;
  maxMessageBytes: number;
  signal: AbortSignal;
}

/** How a runtime opens WebSockets. */
export interface SocketOpener {
  /** @throws DialError when it is refused; anything else when it cannot be reached. */
  open(attempt: Attempt): Promise<ByteConnection>;
  /**
   * Where the runtime does not show why an upgrade was refused: asks beforehand, and throws the DialError of a
   * refusal.
   */
  check?(attempt: Attempt): Promise<void>;
}

/** The version that a choice is typed to. */
export type TypedVersion<V extends VersionChoice> = V extends ApiVersionText ? V : NewestVersionText;

/** Dials with the WebSockets of a runtime. */
export async function dialWith<V extends VersionChoice>(
  opener: SocketOpener,
  options: DialOptions<V>,
): Promise<AgentConnection<TypedVersion<V>>> {
  const timeoutMs = options.openTimeoutMs ?? defaultOpenTimeoutMs;
  const choice: VersionChoice = options.version ?? "negotiate";
  const version = choice === "negotiate" ? newestVersion : parseVersion(choice);
  const shown = shownUrl(rpcUrl(options.url, formatVersion(version), options.role ?? "agent"));
  const deadline = new Deadline(shown, timeoutMs, options.signal);
  try {
    if (choice !== "negotiate") return await open(opener, options, version, deadline);
    return await negotiate(opener, options, version, deadline);
  } catch (error) {
    throw deadline.error ?? asDialError(shown, error);
  } finally {
    deadline.release();
  }
}

/** Dials the newest version; when the server names an older one, dials that, once. */
async function negotiate<V extends VersionChoice>(
  opener: SocketOpener,
  options: DialOptions<V>,
  newest: ApiVersion,
  deadline: Deadline,
): Promise<AgentConnection<TypedVersion<V>>> {
  try {
    return await open(opener, options, newest, deadline, true);
  } catch (error) {
    const named = namedVersion(error);
    if (named === undefined || !isOlder(named, newest)) throw error;
    return await open(opener, options, named, deadline);
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

async function open<V extends VersionChoice>(
  opener: SocketOpener,
  options: DialOptions<V>,
  version: ApiVersion,
  deadline: Deadline,
  isTentative = false,
): Promise<AgentConnection<TypedVersion<V>>> {
  const role = options.role ?? "agent";
  const attempt: Attempt = {
    url: rpcUrl(options.url, formatVersion(version), role),
    token: await freshToken(options.token, deadline.signal),
    headers: options.headers ?? {},
    maxMessageBytes: options.maxWebSocketMessageBytes ?? defaultMaxWebSocketMessageBytes,
    signal: deadline.signal,
  };
  if (isTentative) await opener.check?.(attempt);
  const session = createYamuxSession(await opener.open(attempt), { role: "client", ...options.yamux });
  await firstPing(session, deadline);
  const http = { url: options.url, token: attempt.token, headers: attempt.headers, fetch: options.fetch };
  return createAgentConnection(session, { version, role }, { ...options, http });
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
