import { Code } from "@connectrpc/connect";
import { apiUrl, shownUrl } from "./api-url.js";
import { HttpError, refusedRequest } from "./request-errors.js";

/** Where requests beside the connection go, and as whom. */
export interface AgentHttpOptions {
  /** The control plane, as in `dialAgent`. */
  url: string | URL;
  /** The agent's token; empty for requests that need none. */
  token: string;
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
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** The status of success; 200 by default. */
  status?: number;
}

const defaultTimeoutMs = 30_000;

/**
 * Makes a request, and reads its JSON answer.
 * @returns the answer's JSON; undefined for an empty answer.
 * @throws HttpError when the server refuses or cannot be reached.
 */
export async function agentRequest(options: AgentHttpOptions, request: AgentRequest): Promise<unknown> {
  const { timeoutMs = defaultTimeoutMs } = options;
  const url = apiUrl(options.url, request.route);
  for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
  const name = `${request.method} ${shownUrl(url)}`;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: request.method,
      headers: headersOf(options, request),
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      // a token is for the host that it was given for
      redirect: "manual",
      signal,
    });
    const body = await response.text();
    const contentType = response.headers.get("content-type") ?? undefined;
    if (response.status !== (request.status ?? 200)) {
      throw refusedRequest(name, { status: response.status, contentType, body });
    }
    return jsonOf(name, body);
  } catch (error) {
    if (error instanceof HttpError) throw error;
    if (deadline.aborted)
      throw new HttpError(name, `no answer within ${timeoutMs} ms`, Code.DeadlineExceeded);
    if (signal.aborted) throw new HttpError(name, "canceled by its caller", Code.Canceled, { cause: error });
    throw new HttpError(name, reasonOf(error), Code.Unavailable, { cause: error });
  }
}

function headersOf({ headers, token }: AgentHttpOptions, { body }: AgentRequest): Record<string, string> {
  return {
    ...headers,
    ...(token === "" ? {} : { "Coder-Session-Token": token }),
    ...(body === undefined ? {} : { "Content-Type": "application/json" }),
  };
}

function jsonOf(name: string, body: string): unknown {
  if (body.trim() === "") return undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    throw new HttpError(name, "the answer is not JSON", Code.Internal, { cause: error });
  }
}

/** `fetch` says only that it failed; why is in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const inner = cause instanceof Error ? cause : error;
  return inner instanceof Error && inner.message !== "" ? inner.message : String(error);
}
