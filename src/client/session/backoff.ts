/** How long a session waits before it dials again. */
export interface BackoffOptions {
  /** Limit of the first wait after a failed dial, in milliseconds; it doubles with each further one. 100 by default. */
  firstMs?: number;
  /** No wait is longer. 10,000 by default. */
  maxMs?: number;
  /** A connection that has lived for so long was a good one: after it the curve begins anew. 60,000 by default. */
  healthyAfterMs?: number;
  /**
   * Limit of the first wait after a good connection was lost; it doubles as well. When a server goes away, all that
   * were connected to it lose it in the same moment; this is what keeps them from coming back in the same moment.
   * 5,000 by default.
   */
  spreadMs?: number;
  /** From 0 to below 1; `Math.random` by default. */
  random?: () => number;
}

/**
 * Waits with full jitter: each is anywhere between nothing and its limit, and the limit is capped before, not after,
 * so that those that have waited for long do not come together.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #limitMs: number;

  constructor(options: BackoffOptions = {}) {
    const { firstMs = 100, maxMs = 10_000, healthyAfterMs = 60_000, spreadMs = 5000 } = options;
    this.#options = { firstMs, maxMs, healthyAfterMs, spreadMs, random: options.random ?? Math.random };
    this.#limitMs = firstMs;
  }

  /** The next wait after a dial that has failed, in milliseconds. */
  next(): number {
    const { maxMs, random } = this.#options;
    const limitMs = Math.min(maxMs, this.#limitMs);
    this.#limitMs = Math.min(maxMs, this.#limitMs * 2);
    return random() * limitMs;
  }

  /** The next wait after a connection that was lost. */
  nextAfter(livedMs: number): number {
    if (livedMs >= this.#options.healthyAfterMs) this.#limitMs = this.#options.spreadMs;
    return this.next();
  }
}
