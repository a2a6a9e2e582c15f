import { pause } from "../pause.js";

/**
 * Waits before the next attempt: one interval after the first failure, twice as many after each further one, up to 30;
 * in any case not longer than until something has changed.
 * @throws the signal's reason when that ends.
 */
export async function retryWait(
  failures: number,
  intervalMs: number,
  signal: AbortSignal,
  hasChanged: () => boolean,
): Promise<void> {
  const intervals = Math.min(30, 2 ** (failures - 1));
  for (let i = 0; i < intervals && !hasChanged(); i++) await pause(intervalMs, signal);
}
