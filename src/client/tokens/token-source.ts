/** Something that knows a token and can fetch a fresh one, such as the identity of a cloud instance. C1.30, C1.31. */
export interface TokenProvider {
  /** The token that is known; fetched where there is none yet. */
  get(signal: AbortSignal): Promise<string>;
  /** Fetches a fresh one, and keeps it. Done before each dial. */
  refresh(signal: AbortSignal): Promise<string>;
}

/**
 * Where a token comes from: the token itself, a provider that is asked for a fresh one before each dial, or a
 * function that is such a provider without a memory.
 */
export type TokenSource = string | TokenProvider | ((signal: AbortSignal) => string | Promise<string>);

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
