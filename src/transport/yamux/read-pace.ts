/** How fast a stream reads, and how large its window is therefore. For streams that have read half a window. */
export class ReadPace {
  windowBytes: number;
  #readBytes = 0;
  #sinceMs = performance.now();

  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
  }

  /** So much more was read. @returns in how many milliseconds half of the window was, once it has been. */
  halfReadMs(bytes: number): number | undefined {
    this.#readBytes += bytes;
    if (this.#readBytes * 2 < this.windowBytes) return undefined;
    const nowMs = performance.now();
    const tookMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    this.#readBytes = 0;
    return tookMs;
  }
}
