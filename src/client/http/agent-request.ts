import { Code } from "@connectrpc/connect";
import { hideKnownSecrets } from "../../rpc/known-secrets.js";
import { TimeLimit } from "../time-limit.js";
import { knownToken, type TokenSource } from "../tokens/token-source.js";
import { apiUrl, shownUrl } from "./api-url.js";
import { boundedText, startOfText } from "./bounded-body.js";
import { HttpError, refusedRequest } from "./request-errors.js";
import { requestFailure } from "./request-failure.js";

/** Where requests beside the connection go, and as whom. */
export interface AgentHttpOptions {
  /** The control plane, as in `dialAgent`. */
  url: string | URL;
  /** The agent's token, as in `dialAgent`; a provider gives the one that it has. Empty for requests that need none. */
  token: TokenSource;
  /** More headers. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Ends the request. */
  signal?: AbortSignal | undefined;
  /** Ends the request; 30,000 by default. */
  timeoutMs?: number | undefined;
  /** For proxies and tests; the runtime's own by default. */
  fetch?: typeof fetch | undefined;
}

/** A request to an endpoint of the agent API beside the RPC. */
export interface AgentRequest {
  method: "GET" | "POST" | "PATCH";
  /** After `/api/v2/workspaceagents/`, such as `me/log-source`. */
  route: string;
  /** Sent with its keys in order. */
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON, with a newline at its end. */
  body?: unknown;
  /** Texts of the body that no error may hold. */
  secrets?: readonly string[];
  /** The status of success; 200 by default. */
  status?: number;
}

const defaultTimeoutMs = 30_000;
const maxRefusalBytes = 64 * 1024;
const maxAnswerBytes = 4 * 1024 * 1024;

/** A request as errors show it: without its query. */
export function requestName({ url }: Pick<AgentHttpOptions, "url">, request: AgentRequest): string {
  return `${request.method} ${shownUrl(apiUrl(url, request.route))}`;
}

/**
 * Makes a request, and reads its JSON answer.
 * @param options.timeoutMs `Infinity` for none.
 * @returns the answer's JSON; undefined for an empty answer.
 * @throws HttpError when the server refuses or cannot be reached.
 */
export async function agentRequest(options: AgentHttpOptions, request: AgentRequest): Promise<unknown> {
  const { timeoutMs = defaultTimeoutMs } = options;
  const name = requestName(options, request);
  const limit = new TimeLimit(timeoutMs === Infinity ? undefined : timeoutMs, options.signal);
  try {
    const response = await openAgentRequest(options, request, limit);
    return jsonOf(name, await boundedText(response, maxAnswerBytes));
  } catch (error) {
    throw requestFailure(name, error, limit);
  } finally {
    limit.release();
  }
}

/**
 * Makes a request, and leaves its answer to be read.
 * @throws HttpError when the server refuses or cannot be reached.
 */
export async function openAgentRequest(
  options: AgentHttpOptions,
  request: AgentRequest,
  limit: TimeLimit,
): Promise<Response> {
  const url = apiUrl(options.url, request.route);
  for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
  url.searchParams.sort();
  const name = requestName(options, request);
  try {
    const token = await knownToken(options.token, limit.signal);
    const response = await (options.fetch ?? fetch)(url, {
      method: request.method,
      headers: headersOf(name, token, options, request),
      ...(request.body === undefined ? {} : { body: `${JSON.stringify(request.body)}\n` }),
      // a token is for the host that it was given for
      redirect: "manual",
      signal: limit.signal,
    });
    if (response.status === (request.status ?? 200)) return response;
    throw refusedRequest(name, {
      status: response.status,
      contentType: response.headers.get("content-type") ?? undefined,
      body: hideKnownSecrets(await startOfText(response, maxRefusalBytes), [
        token,
        ...(request.secrets ?? []),
      ]),
    });
  } catch (error) {
    throw requestFailure(name, error, limit);
  }
}

function headersOf(
  name: string,
  token: string,
  { headers }: AgentHttpOptions,
  { body }: AgentRequest,
): Record<string, string> {
  // `fetch` would say so with the token in its text
  if (!isHeaderValue(token)) {
    throw new HttpError(name, "the token has characters that no header can have", Code.InvalidArgument);
  }
  return {
    ...headers,
    ...(token === "" ? {} : { "Coder-Session-Token": token }),
    ...(body === undefined ? {} : { "Content-Type": "application/json" }),
  };
}

/** True for visible Latin-1, blanks and tabs. */
export function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

/** What the parser says of a text may repeat a part of it, and answers have tokens and keys. */
function jsonOf(name: string, body: string): unknown {
  if (body.trim() === "") return undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch {
    throw new HttpError(name, "the answer is not JSON", Code.Internal);
  }
}
