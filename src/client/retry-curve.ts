/** How long to wait before each attempt. */
export interface RetryCurve {
  /** How long to wait before the next attempt, in milliseconds. */
  next(): number;
  /** After a success: the next attempt need not wait. */
  reset(): void;
}

/** Where a curve begins and ends. */
export interface RetryCurveOptions {
  /** The first waits are a little longer than this; 100 by default. */
  floorMs?: number | undefined;
  /** No wait is longer; 10,000 by default. */
  ceilingMs?: number | undefined;
}

const goldenRatio = (1 + Math.sqrt(5)) / 2;

/**
 * No wait before the first attempt, then waits that grow by the golden ratio, without jitter: 0, 161.8, 261.8, 423.6 …
 * 7601, 10000, 10000 … milliseconds by default. C1.70.
 */
export function retryCurve({ floorMs = 100, ceilingMs = 10_000 }: RetryCurveOptions = {}): RetryCurve {
  let isFirst = true;
  let lastMs = floorMs;
  return {
    next() {
      if (isFirst) {
        isFirst = false;
        return 0;
      }
      lastMs = Math.min(lastMs * goldenRatio, ceilingMs);
      return lastMs;
    },
    reset() {
      isFirst = true;
      lastMs = floorMs;
    },
  };
}
