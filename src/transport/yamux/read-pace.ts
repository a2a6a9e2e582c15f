/** A stream that reads half of its window in so long gets a larger one. */
const fastWithinMs = 1000;

/** How fast a stream reads, and how large its window is therefore. For streams that have read half a window. */
export class ReadPace {
  windowBytes: number;
  #readBytes = 0;
  #sinceMs = performance.now();

  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
  }

  /** So much more was read. @returns true when half of the window was, and in so short a time that it may be too small. */
  isFastAfter(bytes: number): boolean {
    this.#readBytes += bytes;
    if (this.#readBytes * 2 < this.windowBytes) return false;
    const nowMs = performance.now();
    const isFast = nowMs - this.#sinceMs <= fastWithinMs;
    this.#sinceMs = nowMs;
    this.#readBytes = 0;
    return isFast;
  }
}
