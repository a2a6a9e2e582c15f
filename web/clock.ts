import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { signal } from "@preact/signals";

const tickMs = 1000;

/** How far the server's clock is ahead of this one, in milliseconds. */
let aheadMs = 0;

/** Milliseconds since 1970 on the server's clock; a new value each second. */
export const nowMs = signal(Date.now());

/** Begins to tick, for as long as the page is there. */
export function startClock(): void {
  setInterval(() => {
    nowMs.value = Date.now() + aheadMs;
  }, tickMs);
}

/** Goes by the server's clock. */
export function setServerClock(now: Timestamp | undefined): void {
  if (now === undefined) return;
  aheadMs = timestampMs(now) - Date.now();
  nowMs.value = Date.now() + aheadMs;
}

/** A time in milliseconds since 1970. */
export function msOf(timestamp: Timestamp | undefined): number | undefined {
  return timestamp && timestampMs(timestamp);
}
