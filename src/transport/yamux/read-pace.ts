import type { WindowGrowth } from "./window-growth.js";

/** How fast a stream reads, and how large its window is therefore. For streams that have read half a window. */
export class ReadPace {
  windowBytes: number;
  readonly #growth: WindowGrowth;
  #readBytes = 0;
  #sinceMs = performance.now();

  constructor(windowBytes: number, growth: WindowGrowth) {
    this.windowBytes = windowBytes;
    this.#growth = growth;
  }

  /**
   * So much more was read.
   * @param isBehind half a window waits to be read: then it is not the peer that waits.
   * @param isInLarge the reader is in the middle of a message of more than that.
   * @returns by how much the window has become larger.
   */
  growthAfter(bytes: number, isBehind: boolean, isInLarge: boolean): number {
    this.#readBytes += bytes;
    if (this.#readBytes * 2 < this.windowBytes) return 0;
    const nowMs = performance.now();
    const tookMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    this.#readBytes = 0;
    const more = isBehind ? 0 : this.#growth.grow(this.windowBytes, tookMs, isInLarge);
    this.windowBytes += more;
    return more;
  }
}
