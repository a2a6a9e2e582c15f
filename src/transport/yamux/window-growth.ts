import type { Pings } from "./keepalive.js";

/**
 * A peer that waits for window sends one in a round trip, mostly at once, so that half of it takes up to a whole one.
 * What takes longer is held up by something else, and a larger window would only make the queue longer that small data
 * has to wait behind.
 */
const fastRoundTrips = 1.25;

/** Nearer by, a window is enough for any network. */
const longWayMs = 4;

/**
 * There, frames and waking up the peer are what a larger window saves, where half of it is read in so long. Not in the
 * middle of a message that is larger than that: it takes the processor for longer, and all else waits behind it.
 */
const nearbyFastMs = 0.25;

/** All open streams together grow by so many of the largest windows: a peer may fill them when nobody reads any more. */
const mostGrownWindows = 16;

/** Which windows of a session grow, and by how much: those that limit a stream. */
export class WindowGrowth {
  readonly #pings: Pings;
  readonly #maxWindowBytes: number;
  /** By how much the windows of the open streams have grown. */
  #grownBytes = 0;

  /** Has the round trip measured, which the first of them asks for that has read half of its window. */
  constructor(pings: Pings, maxWindowBytes: number) {
    this.#pings = pings;
    this.#maxWindowBytes = maxWindowBytes;
    void pings.ping();
  }

  /**
   * A stream has read half of its window in so long.
   * @param isInLarge it is in the middle of a message of more than that.
   * @returns bytes by which the window becomes larger.
   */
  grow(windowBytes: number, halfReadMs: number, isInLarge: boolean): number {
    const { shortestMs = 0 } = this.#pings;
    const isFar = shortestMs >= longWayMs;
    if (halfReadMs > (isFar ? fastRoundTrips * shortestMs : nearbyFastMs)) return 0;
    if (isInLarge && !isFar) return 0;
    const left = mostGrownWindows * this.#maxWindowBytes - this.#grownBytes;
    const more = Math.max(0, Math.min(windowBytes, this.#maxWindowBytes - windowBytes, left));
    this.#grownBytes += more;
    return more;
  }

  /** A stream is over whose window had grown by so much. */
  ended(grownBytes: number): void {
    this.#grownBytes -= grownBytes;
  }
}
