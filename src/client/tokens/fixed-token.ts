import type { TokenProvider } from "./token-source.js";

/** A token that stays what it is; to refresh it does nothing. C1.30. */
export function fixedToken(token: string): TokenProvider {
  return { get: async () => token, refresh: async () => token };
}
