const int32Range = "an integer from -2147483648 to 2147483647";
const uint32Range = "an integer from 0 to 4294967295";

/** A value of the wrong type, by whom nobody has said yet in which field it is: see {@link fieldOf}. */
export class WrongValue extends TypeError {}

/** @throws WrongValue: a field wants something else. */
export function refuse(value: unknown, wanted: string): never {
  throw new WrongValue(`must be ${wanted}, not ${shown(value)}`);
}

/** A 32-bit integer that is not one as it stands: digits are taken. @throws WrongValue */
export function int32Of(value: unknown): number {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && (number | 0) === number ? number : refuse(value, int32Range);
}

/** As {@link int32Of}, without a sign. @throws WrongValue */
export function uint32Of(value: unknown): number {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && number >>> 0 === number ? number : refuse(value, uint32Range);
}

/** A 64-bit integer that is no bigint: integers and digits are taken. @throws WrongValue */
export function bigintOf(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  try {
    if (typeof value === "number" || typeof value === "string") return BigInt(value);
  } catch {
    // it is no integer
  }
  return refuse(value, "a bigint");
}

/** Bytes that are no `Uint8Array` of this realm: those of another, and lists of numbers. @throws WrongValue */
export function bytesOf(value: unknown): Uint8Array {
  if (Array.isArray(value)) return new Uint8Array(value);
  if (Object.prototype.toString.call(value) === "[object Uint8Array]") return value as Uint8Array;
  return refuse(value, "a Uint8Array");
}

/** A value as a sentence names it: numbers as they are, others by what they are. */
function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint" || value === null) return String(value);
  if (value === undefined) return "undefined";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  const { $typeName } = value as { $typeName?: unknown };
  return typeof $typeName === "string" ? `a ${$typeName}` : "an object";
}
