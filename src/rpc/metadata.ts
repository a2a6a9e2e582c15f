import { createContextKey } from "@connectrpc/connect";
import { encodeMetadata } from "../codec/index.js";

/**
 * The metadata of a call, for its handler: `context.values.get(metadataKey)`. Any text may be in it, while
 * `context.requestHeader` has only what a header can hold.
 */
export const metadataKey = /*@__PURE__*/ createContextKey<ReadonlyMap<string, string>>(new Map(), {
  description: "dRPC metadata of the call",
});

/** The pair that carries a deadline between peers of this library: decimal milliseconds left. W4.8. */
export const timeoutKey = "agentwire-timeout-ms";

/** Longest deadline that a timer can hold. */
const maxTimeoutMs = 2 ** 31 - 1;

/**
 * The body of an InvokeMetadata packet: headers as pairs, and the deadline where the caller has set one.
 * @returns undefined when there is nothing to say: then no packet is sent.
 */
export function callMetadata(
  headers: HeadersInit | undefined,
  timeoutMs: number | undefined,
): Uint8Array | undefined {
  const pairs: [string, string][] = [];
  // names become lower-case, several values of one are joined by ", "
  if (headers !== undefined) pairs.push(...new Headers(headers));
  if (timeoutMs !== undefined) pairs.push([timeoutKey, String(Math.max(0, Math.ceil(timeoutMs)))]);
  return pairs.length === 0 ? undefined : encodeMetadata(pairs);
}

/** The deadline in metadata, if there is a sensible one. */
export function timeoutIn(metadata: ReadonlyMap<string, string> | undefined): number | undefined {
  const text = metadata?.get(timeoutKey);
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Math.min(Number(text), maxTimeoutMs);
}

/** Metadata as headers. A name or value that headers cannot hold is left out; see {@link metadataKey}. */
export function metadataHeaders(metadata: ReadonlyMap<string, string> | undefined): Headers {
  const headers = new Headers();
  if (metadata === undefined) return headers;
  for (const [name, value] of metadata) {
    try {
      headers.append(name, value);
    } catch {
      // Metadata is any text; a header is not. The call does not depend on it.
    }
  }
  return headers;
}
