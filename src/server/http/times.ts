/** How the API says "never": the year 1. */
export const neverTime = "0001-01-01T00:00:00Z";
const firstUs = -62_135_596_800_000_000;
/** The last second that RFC 3339 can say. */
const lastUs = 253_402_300_799_000_000;

/** RFC 3339 with microseconds, of microseconds since 1970. */
export function isoTime(us: number): string {
  const { seconds, fraction } = inRange(us);
  return `${seconds}.${String(fraction).padStart(6, "0")}Z`;
}

/** RFC 3339 with whole seconds. */
export function isoSeconds(us: number): string {
  return `${inRange(us).seconds}Z`;
}

/** Agents send times of any year; those that cannot be written are shown as the nearest that can. */
function inRange(us: number): { seconds: string; fraction: number } {
  const shown = Math.min(Math.max(us, firstUs), lastUs);
  const wholeSeconds = Math.floor(shown / 1_000_000);
  return {
    seconds: new Date(wholeSeconds * 1000).toISOString().slice(0, 19),
    fraction: shown - wholeSeconds * 1_000_000,
  };
}
