import { realNowMs, realPause } from "./clock.js";

/** How long something is waited for. */
export interface WaitOptions {
  /** Milliseconds of real time, whatever clock is installed. 5,000 by default. */
  timeoutMs?: number;
}

const defaultTimeoutMs = 5000;
const lookAgainMs = 5;

/**
 * Waits until a condition holds: until the function gives something else than `undefined`, `null` or `false`. What it
 * throws counts as "not yet".
 * @param complaint says what did not hold, for the error.
 * @returns what the function gave.
 * @throws Error when it does not hold in time; what the function threw last is its cause.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  complaint: (timeoutMs: number) => string | Promise<string>,
  { timeoutMs = defaultTimeoutMs }: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const endMs = realNowMs() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<T, undefined | null | false>;
      }
    } catch (error) {
      cause = error;
    }
    if (realNowMs() >= endMs) {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      throw new Error(`${await complaint(timeoutMs)}${why}`, { cause });
    }
    await realPause(lookAgainMs);
  }
}
