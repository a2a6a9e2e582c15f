import { errorText } from "../../../rpc/error-text.js";
import { readDerpMap } from "./derp-map-json.js";
import type { OnDerpMapProblem } from "./listeners.js";
import { type ClosableDerpMap, polledDerpMap } from "./polled-derp-map.js";

/** How a map is fetched. */
export interface DerpMapUrlOptions {
  /** How often it is fetched again, in milliseconds; 60,000 by default. */
  intervalMs?: number;
  /** An answer that is not there whole by then is given up, in milliseconds; 10,000 by default. */
  timeoutMs?: number;
  /** A larger answer is refused; 4 MiB by default. */
  maxBytes?: number;
  /** Sent along, such as credentials. */
  headers?: Readonly<Record<string, string>>;
  /** Told when it could not be fetched, or is no map; by default nobody is. */
  onProblem?: OnDerpMapProblem;
  /** Ends it, as `close` does. */
  signal?: AbortSignal;
}

/** What an answer was, and under which tag. */
interface Fetched {
  text: string;
  etag: string | undefined;
}

/**
 * The map at a URL, fetched again from time to time: JSON as network clients have it (`{"Regions": …}`), or the
 * protobuf JSON of the message. Where the server gives an `ETag`, a map that has not changed is not sent again. While
 * it cannot be fetched, or is no map, the last good one stays.
 * @throws Error when there is no map at the beginning: a `DerpMapError` when the answer is none, a TypeError when the
 * URL cannot be fetched from.
 */
export async function derpMapUrl(
  url: string | URL,
  options: DerpMapUrlOptions = {},
): Promise<ClosableDerpMap> {
  const { intervalMs = 60_000, timeoutMs = 10_000, maxBytes = 4 * 1024 * 1024 } = options;
  const { headers = {}, onProblem, signal } = options;
  const target = checkedUrl(url);
  let etag: string | undefined;
  const load = async (end: AbortSignal) => {
    const known = etag === undefined ? {} : { "If-None-Match": etag };
    const fetched = await within(timeoutMs, end, (limit) =>
      fetchText(
        target,
        { headers: { Accept: "application/json", ...headers, ...known }, signal: limit },
        maxBytes,
      ),
    ).catch((error: unknown) => {
      throw new Error(`the map of relays at ${shown(target)} could not be fetched: ${reasonOf(error)}`, {
        cause: error,
      });
    });
    if (fetched === undefined) return undefined;
    const map = readDerpMap(fetched.text, `what is at ${shown(target)}`);
    etag = fetched.etag;
    return map;
  };
  return polledDerpMap(load, { intervalMs, onProblem, signal });
}

function checkedUrl(url: string | URL): URL {
  const parsed = URL.canParse(String(url)) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    throw new TypeError("the URL of a map of relays must begin with http:// or https://");
  if (parsed.username !== "" || parsed.password !== "")
    throw new TypeError("the URL of a map of relays must not have credentials: give them as headers");
  return parsed;
}

/** A query may be a secret. */
function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** What `fetch` throws says least itself. */
function reasonOf(error: unknown): string {
  const cause = error instanceof TypeError ? error.cause : undefined;
  return (cause !== undefined && errorText(cause)) || errorText(error);
}

/** Does it with a signal that ends with `end`, and after a time. */
async function within<T>(
  timeoutMs: number,
  end: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const giveUp = () => limit.abort(end.reason);
  const timer = setTimeout(() => limit.abort(new Error(`it took longer than ${timeoutMs} ms`)), timeoutMs);
  end.addEventListener("abort", giveUp);
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    end.removeEventListener("abort", giveUp);
  }
}

/** @returns undefined when it has not changed. */
async function fetchText(url: URL, init: RequestInit, maxBytes: number): Promise<Fetched | undefined> {
  const response = await fetch(url, init);
  try {
    if (response.status === 304) return undefined;
    if (response.status !== 200) throw new Error(`the server answered ${response.status}`);
    const text = await boundedText(response, maxBytes);
    return { text, etag: response.headers.get("etag") ?? undefined };
  } finally {
    // the rest of an answer that is not wanted
    if (!response.bodyUsed) await response.body?.cancel().catch(() => {});
  }
}

async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // leaving the loop cancels the rest
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw new RangeError(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
