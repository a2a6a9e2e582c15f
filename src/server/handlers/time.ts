import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** A duration as a plain object, for answers. */
type DurationInit = Pick<Duration, "seconds" | "nanos">;

/** Microseconds since 1970 of a timestamp; 0 where there is none, as in the reference server. */
export function timestampUs(timestamp: Timestamp | undefined): number {
  if (timestamp === undefined) return 0;
  return Number(timestamp.seconds) * 1_000_000 + Math.floor(timestamp.nanos / 1000);
}

/** A timestamp of microseconds since 1970. */
export function usTimestamp(us: number): Pick<Timestamp, "seconds" | "nanos"> {
  const seconds = Math.floor(us / 1_000_000);
  return { seconds: BigInt(seconds), nanos: (us - seconds * 1_000_000) * 1000 };
}

export function secondsDuration(seconds: number): DurationInit {
  return { seconds: BigInt(seconds), nanos: 0 };
}

/** A number of seconds written as that many nanoseconds: what the API wants for metadata descriptions. S3.18. */
export function secondsAsNanoseconds(seconds: number): DurationInit {
  return { seconds: 0n, nanos: seconds };
}

export function millisecondsDuration(ms: number): DurationInit {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

/** The instant that Go calls zero: 0001-01-01. */
export const yearOneSeconds = -62_135_596_800n;
