import { ApiError } from "../api-error.js";

const windowMs = 60_000;
/** Counters at most. With more callers the count begins anew. */
const maxCounters = 65_536;

/** How requests are limited. S1.3. */
export interface RateLimitOptions {
  /** So many requests of one caller for one path in a minute; 0 or less for no limit. */
  requestsPerMinute: number;
}

/** Counts requests by caller and path, over the last minute: of the minute before as much as is still in it. */
export class RateLimit {
  readonly #limit: number;
  readonly #nowMs: () => number;
  #windowStartMs: number;
  #before = new Map<string, number>();
  #now = new Map<string, number>();

  /** @param nowMs a clock that does not go back. */
  constructor({ requestsPerMinute }: RateLimitOptions, nowMs: () => number = () => performance.now()) {
    this.#limit = requestsPerMinute;
    this.#nowMs = nowMs;
    this.#windowStartMs = nowMs();
  }

  /**
   * Counts a request.
   * @param caller a user's id, or an address.
   * @throws ApiError 429 when it is one too many; it is not counted then.
   */
  count(caller: string, path: string): void {
    if (this.#limit <= 0) return;
    const elapsedMs = this.#turn();
    const key = `${caller}\n${path}`;
    const counted = this.#now.get(key) ?? 0;
    const before = (this.#before.get(key) ?? 0) * (1 - elapsedMs / windowMs);
    if (Math.floor(before) + counted >= this.#limit) {
      throw new ApiError(
        429,
        `You've been rate limited for sending more than ${this.#limit} requests in 1m0s.`,
      );
    }
    if (this.#now.size >= maxCounters) this.#now.clear();
    this.#now.set(key, counted + 1);
  }

  /** Begins a new window when it is time. @returns how far the window is. */
  #turn(): number {
    const elapsedMs = this.#nowMs() - this.#windowStartMs;
    if (elapsedMs < windowMs) return elapsedMs;
    this.#before = elapsedMs < 2 * windowMs ? this.#now : new Map();
    this.#now = new Map();
    this.#windowStartMs += Math.floor(elapsedMs / windowMs) * windowMs;
    return elapsedMs % windowMs;
  }
}
