import { requestFailure } from "../http/request-failure.js";
import { TimeLimit } from "../time-limit.js";
import { SharedWork } from "./shared-work.js";
import type { TokenProvider } from "./token-source.js";

/** Gets a token for something else, such as what a cloud says of its machine. */
export type Exchange = (signal: AbortSignal) => Promise<string>;

/** A `get` without a token waits so long. C1.31. */
const defaultLazyTimeoutMs = 10_000;

/**
 * A token that is exchanged for something else, and kept in memory. Callers at the same time share the exchange that
 * is under way. C1.31, with one difference: where no token is known and the exchange for it fails, that is an error
 * and not an empty token.
 * @param name what is exchanged, for errors.
 * @param lazyTimeoutMs how long `get` waits for an exchange.
 */
export function exchangedToken(
  name: string,
  exchange: Exchange,
  lazyTimeoutMs = defaultLazyTimeoutMs,
): TokenProvider {
  let known: string | undefined;
  const exchanges = new SharedWork(async (signal) => {
    known = await exchange(signal);
    return known;
  });
  return {
    async get(signal) {
      if (known !== undefined && !exchanges.isRunning) return known;
      const limit = new TimeLimit(lazyTimeoutMs, signal);
      try {
        return await exchanges.result(limit.signal);
      } catch (error) {
        signal.throwIfAborted();
        // the refresh of somebody else, which leaves what there was
        if (known !== undefined) return known;
        throw requestFailure(name, error, limit);
      } finally {
        limit.release();
      }
    },
    refresh: (signal) => exchanges.result(signal),
  };
}
