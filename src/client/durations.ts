/** What a timer can count, which is 24 days: with more it ends at once. */
export const maxTimerMs = 2_147_483_647;

/** A duration of the wire in milliseconds; undefined for none, and for one that is not above zero. */
export function durationMs(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  if (duration === undefined) return undefined;
  const ms = Number(duration.seconds) * 1000 + duration.nanos / 1e6;
  return ms > 0 ? ms : undefined;
}

/** As {@link durationMs}, but no longer than a timer can wait. */
export function waitOf(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  const ms = durationMs(duration);
  return ms === undefined ? undefined : Math.min(ms, maxTimerMs);
}
