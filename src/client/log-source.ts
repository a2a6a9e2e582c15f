import { Code } from "@connectrpc/connect";
import { HttpError, refusedRequest } from "./request-errors.js";
import { apiUrl, shownUrl } from "./rpc-url.js";

/** The log source that every server knows, for logs from outside the agent. C1.49. */
export const externalLogSourceId = "3b579bf4-1ed8-4b99-87a8-e9a1e3410410";

/** A log source to register. */
export interface LogSourceRequest {
  /** The control plane, as in `dialAgent`. */
  url: string | URL;
  /** The agent's token. */
  token: string;
  /** A UUID. The same id again is fine. */
  id: string;
  /** What people read beside the lines. */
  displayName: string;
  /** A path or URL of a picture. */
  icon?: string;
  /** Ends the request. */
  signal?: AbortSignal;
  /** Ends the request; 30,000 by default. */
  timeoutMs?: number;
  /** For proxies and tests; the runtime's own by default. */
  fetch?: typeof fetch;
}

const defaultTimeoutMs = 30_000;

/**
 * Registers where log lines come from, so that they are shown under a name. C1.44, C7.2.
 * @throws HttpError when the server refuses or cannot be reached.
 */
export async function registerLogSource(options: LogSourceRequest): Promise<void> {
  const { token, id, displayName, icon = "", timeoutMs = defaultTimeoutMs } = options;
  const url = apiUrl(options.url, "log-source");
  const request = `POST ${shownUrl(url)}`;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: "POST",
      headers: { "Coder-Session-Token": token, "Content-Type": "application/json" },
      body: JSON.stringify({ id, display_name: displayName, icon }),
      // a token is for the host that it was given for
      redirect: "manual",
      signal,
    });
    const body = await response.text();
    if (response.status === 201) return;
    const contentType = response.headers.get("content-type") ?? undefined;
    throw refusedRequest(request, { status: response.status, contentType, body });
  } catch (error) {
    if (error instanceof HttpError) throw error;
    if (deadline.aborted)
      throw new HttpError(request, `no answer within ${timeoutMs} ms`, Code.DeadlineExceeded);
    if (signal.aborted)
      throw new HttpError(request, "canceled by its caller", Code.Canceled, { cause: error });
    throw new HttpError(request, reasonOf(error), Code.Unavailable, { cause: error });
  }
}

/** `fetch` says only that it failed; why is in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const inner = cause instanceof Error ? cause : error;
  return inner instanceof Error && inner.message !== "" ? inner.message : String(error);
}
