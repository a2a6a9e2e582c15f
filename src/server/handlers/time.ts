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

/** A time as Go writes it in RFC 3339, with nanoseconds where there are some; now where there is none. */
export function goTime(timestamp: Timestamp | undefined, nowUs: number): string {
  const { seconds, nanos } = timestamp ?? usTimestamp(nowUs);
  const fraction = String(nanos).padStart(9, "0").replace(/0+$/, "");
  const whole = new Date(Number(seconds) * 1000);
  const text = Number.isNaN(whole.getTime()) ? "0001-01-01T00:00:00" : whole.toISOString().slice(0, 19);
  return `${text}${fraction === "" ? "" : `.${fraction}`}Z`;
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
