import type { TokenSource } from "../dial/dial-options.js";

/** The token of a source, for a request beside the connection: the one that a provider has, if it has one. */
export async function knownToken(source: TokenSource, signal: AbortSignal): Promise<string> {
  if (typeof source === "string") return source;
  return typeof source === "function" ? await source(signal) : await source.get(signal);
}

/** The token of a source, for a dial: a fresh one of a provider. C1.31. */
export async function freshToken(source: TokenSource, signal: AbortSignal): Promise<string> {
  if (typeof source === "string") return source;
  return typeof source === "function" ? await source(signal) : await source.refresh(signal);
}
