import { pause } from "../pause.js";
import type { LatestValues } from "./latest-values.js";

/** How values are reported. */
export interface KeepReportingOptions {
  signal: AbortSignal;
  /** How long changes are gathered before a report, in milliseconds; not at all by default. */
  gatherMs?: number;
  /** How long to wait after a first failure, in milliseconds; twice as long after each further one, up to 30 times. */
  retryIntervalMs: number;
  /** @returns false when it is to be tried again. @throws why no more can be reported. */
  report(): Promise<boolean>;
}

/**
 * Reports whenever there are values. After a report that failed it waits, but no longer than until a value changes.
 * @throws the signal's reason when that ends; what a report throws.
 */
export async function keepReporting<V extends object>(
  values: LatestValues<V>,
  { signal, gatherMs, retryIntervalMs, report }: KeepReportingOptions,
): Promise<never> {
  for (let failures = 0; ; ) {
    await values.whenSome(signal);
    if (gatherMs !== undefined) await pause(gatherMs, signal);
    if (values.size === 0) continue;
    const { changes } = values;
    failures = (await report()) ? 0 : failures + 1;
    const intervals = failures === 0 ? 0 : Math.min(30, 2 ** (failures - 1));
    for (let i = 0; i < intervals && values.changes === changes; i++) await pause(retryIntervalMs, signal);
  }
}
