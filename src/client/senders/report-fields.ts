import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { decodeUtf8, encodeUtf8, formatUuid, parseUuid } from "../../codec/index.js";

/**
 * The 16 bytes of an id.
 * @param what names it in the error, such as `an app's id`.
 * @throws TypeError when it is no UUID, as text or as 16 bytes.
 */
export function uuidField(what: string, id: string | Uint8Array): Uint8Array {
  const bytes = typeof id === "string" ? parseUuid(id) : id;
  if (!(bytes instanceof Uint8Array) || formatUuid(bytes) === undefined) {
    throw new TypeError(`${what} is a UUID, as text or as 16 bytes, and not ${shown(id)}`);
  }
  return bytes.slice();
}

/** As {@link uuidField}, in its usual spelling. */
export function uuidText(what: string, id: string | Uint8Array): string {
  return formatUuid(uuidField(what, id)) ?? "";
}

/** @throws TypeError when it is no date, or an invalid one. */
export function timeField(what: string, time: Date): Timestamp {
  if (!(time instanceof Date) || Number.isNaN(time.getTime())) {
    throw new TypeError(`${what} is a valid Date, and not ${shown(time)}`);
  }
  return timestampFromDate(time);
}

/** @throws TypeError when it is no text; RangeError when it has more UTF-8 bytes than given, if any are. */
export function textField(what: string, text: string, maxBytes?: number): string {
  if (typeof text !== "string") throw new TypeError(`${what} is a text, and not ${shown(text)}`);
  if (maxBytes === undefined) return text;
  // no text has fewer bytes than units: a huge one is not encoded to be measured
  const bytes = text.length > maxBytes ? text.length : encodeUtf8(text).length;
  if (bytes > maxBytes) {
    throw new RangeError(`${what} has ${bytes} bytes or more, over the limit of ${maxBytes} bytes`);
  }
  return text;
}

/** @throws TypeError when it is no whole number of 32 bits. */
export function int32Field(what: string, value: number): number {
  if ((value | 0) !== value)
    throw new TypeError(`${what} is a whole number of 32 bits, and not ${shown(value)}`);
  return value;
}

/** @throws TypeError when it is no value of the enum. */
export function enumField<T extends number>(
  what: string,
  names: Readonly<Record<number, string>>,
  value: T,
): T {
  if (typeof value !== "number" || names[value] === undefined) {
    throw new TypeError(`${what} is a value of its enum, and not ${shown(value)}`);
  }
  return value;
}

/** The start of a text, in whole characters, with so many UTF-8 bytes at most. */
export function cutText(text: string, maxBytes: number): { text: string; bytes: number } {
  const encoded = encodeUtf8(text);
  if (encoded.length <= maxBytes) return { text, bytes: encoded.length };
  let end = maxBytes;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end--;
  return { text: decodeUtf8(encoded.subarray(0, end)), bytes: encoded.length };
}

function shown(value: unknown): string {
  const text = String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
