import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { msOf, nowMs } from "../clock.js";
import { age, timeOfDay } from "../words.js";

/** How long ago something was, as time goes by. */
export function Age({ at }: { at: Timestamp | undefined }) {
  const ms = msOf(at);
  if (ms === undefined) return <>never</>;
  const iso = new Date(ms).toISOString();
  return (
    <time dateTime={iso} title={iso}>
      {age(nowMs.value - ms)}
    </time>
  );
}

/** When something was, on the clock. */
export function Clock({ at }: { at: Timestamp | undefined }) {
  const ms = msOf(at);
  if (ms === undefined) return <>–</>;
  const iso = new Date(ms).toISOString();
  return (
    <time dateTime={iso} title={iso}>
      {timeOfDay(ms)}
    </time>
  );
}
