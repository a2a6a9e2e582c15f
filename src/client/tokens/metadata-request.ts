import { Code } from "@connectrpc/connect";
import { shownUrl } from "../http/api-url.js";
import { boundedText } from "../http/bounded-body.js";
import { HttpError } from "../http/request-errors.js";
import { requestFailure } from "../http/request-failure.js";
import { TimeLimit } from "../time-limit.js";

/** How the metadata service of a cloud is reached. */
export interface MetadataOptions {
  /** Where it is; `http://169.254.169.254` by default. A path in it is kept as a prefix. */
  url?: string | URL | undefined;
  /** Ends each request; 10,000 by default. */
  timeoutMs?: number | undefined;
  /**
   * For tests; the runtime's own by default. The `fetch` for the control plane is not used: a proxy is another machine,
   * with another identity.
   */
  fetch?: typeof fetch | undefined;
}

/** A request to a metadata service. */
export interface MetadataRequest {
  method: "GET" | "PUT";
  /** With the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
}

const defaultUrl = "http://169.254.169.254";
const defaultTimeoutMs = 10_000;
/** Documents and their signatures have a few thousand. */
const maxAnswerBytes = 64 * 1024;

/**
 * Asks the metadata service of a cloud. Redirects are not followed. An answer that is not 2xx is an error, although
 * the reference (C1.32) would pass on whatever there is: its server refuses that, and nobody knows why.
 * @param cloud its name, for errors.
 * @returns the answer as it is. It is in no error.
 * @throws HttpError when there is no answer, or one that cannot be used.
 */
export async function metadataRequest(
  cloud: string,
  options: MetadataOptions,
  { method, path, headers }: MetadataRequest,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(path, "http://metadata");
  const target = new URL(options.url ?? defaultUrl);
  target.pathname = target.pathname.replace(/\/+$/, "") + url.pathname;
  target.search = url.search;
  const name = `the ${cloud} metadata service: ${method} ${shownUrl(target)}`;
  const limit = new TimeLimit(options.timeoutMs ?? defaultTimeoutMs, signal);
  try {
    const response = await (options.fetch ?? fetch)(target, {
      method,
      headers,
      redirect: "manual",
      signal: limit.signal,
    });
    if (!response.ok) {
      await response.body?.cancel();
      const text = `status ${response.status}; is this a machine of ${cloud} with its metadata service on?`;
      throw new HttpError(name, text, Code.FailedPrecondition);
    }
    const text = await boundedText(response, maxAnswerBytes);
    if (text.trim() === "") throw new HttpError(name, "the answer is empty", Code.FailedPrecondition);
    return text;
  } catch (error) {
    throw requestFailure(name, error, limit);
  } finally {
    limit.release();
  }
}
