import { allocateBytes } from "../allocate.js";
import { emptyBytes } from "../byte-pieces.js";
import { writeText } from "./text.js";
import { floatBits, highWord, lowWord, setDouble, setSigned, setUnsigned } from "./words.js";
import { bigintOf, bytesOf, int32Of, refuse, uint32Of } from "./wrong-value.js";

/** A field that a schema does not know, as protobuf-es keeps it in `$unknown`. */
export interface UnknownField {
  readonly no: number;
  readonly wireType: number;
  readonly data: Uint8Array;
}

const firstBytes = 1024;
/** From here on, memory that is not zeroed first is worth what it takes to get it. */
const firstUnzeroedBytes = 4096;
/** A larger buffer is not kept for the next message. */
const maxKeptBytes = 256 * 1024;
/** Fewer bytes are copied one by one: asking the engine costs more. */
const longestByHandBytes = 24;
const none: readonly never[] = [];
const nothing = {};

/**
 * What is generated for a message: it writes the fields, and before them the tag of the field that the message is
 * in with the length, if there is one.
 */
export type WriteMessage<Init> = (writer: Writer, message: Init, tag: number) => void;

/**
 * Writes messages. Generated code calls it.
 *
 * Methods named after a type leave the value out where it is absent, null or the type's zero, those that
 * begin with `put` always write it. A tag of 0 is not written: for values of packed lists.
 *
 * All throw WrongValue when the value is of another type or out of range. Nothing has been written for anyone
 * then.
 */
export class Writer {
  #bytes = new Uint8Array(firstBytes);
  #at = 0;

  /** What has been written, as a view of the writer's memory: good until it writes again. */
  written(): Uint8Array {
    return this.#at === 0 ? emptyBytes : this.#bytes.subarray(0, this.#at);
  }

  /** What has been written, in memory of its own. */
  copied(): Uint8Array {
    const length = this.#at;
    if (length < firstUnzeroedBytes) return this.#bytes.slice(0, length);
    const copy = allocateBytes(length);
    copy.set(this.#bytes.subarray(0, length));
    return copy;
  }

  /** Forgets everything, and memory that only a large message needs. */
  reset(): void {
    this.#at = 0;
    if (this.#bytes.length > maxKeptBytes) this.#bytes = new Uint8Array(firstBytes);
  }

  /**
   * Begins a message: it is an object, and no message of another type.
   * @param tag of the field that it is in; 0 if it is in none
   * @returns what `end` needs.
   */
  begin(message: unknown, typeName: unknown, wanted: string, tag: number): number {
    if (typeName !== wanted) {
      const isObject = typeof message === "object" && message !== null && !Array.isArray(message);
      if (!isObject || typeName !== undefined) refuse(message, `a ${wanted}`);
    }
    return tag === 0 ? 0 : this.open(tag);
  }

  /** Ends it, with the fields that the schema does not know. */
  end(start: number, unknown: readonly UnknownField[] | undefined): void {
    if (unknown !== undefined) this.#unknown(unknown);
    if (start !== 0) this.close(start);
  }

  /** Begins a field with a length in front. @returns what `close` needs, which is not 0. */
  open(tag: number): number {
    this.#reserve(6);
    this.#tag(tag);
    // most are shorter than 128 bytes: one byte of length, and others are moved
    return ++this.#at;
  }

  /** Ends it. */
  close(start: number): void {
    const length = this.#at - start;
    if (length < 0x80) this.#bytes[start - 1] = length;
    else this.#makeRoom(start, length);
  }

  /** The items of a repeated field. */
  list<T>(items: readonly T[] | null | undefined): readonly T[] {
    if (Array.isArray(items)) return items;
    return items == null ? none : refuse(items, "an array");
  }

  /** The entries of a map field. */
  map<T>(entries: { readonly [key: string]: T } | null | undefined): { readonly [key: string]: T } {
    if (typeof entries === "object" && !Array.isArray(entries)) return entries ?? nothing;
    return entries == null ? nothing : refuse(entries, "an object");
  }

  string(tag: number, value: string | null | undefined): void {
    if (value != null && value.length !== 0) this.putString(tag, value);
  }

  putString(tag: number, value: string | undefined): void {
    if (typeof value !== "string") refuse(value, "a string");
    const { length } = value;
    this.#reserve(length * 3 + 10);
    this.#tag(tag);
    // text is ASCII mostly: if it is not, it moves
    const expected = lengthBytes(length);
    const start = this.#at + expected;
    const written = writeText(this.#bytes, start, value);
    const taken = lengthBytes(written);
    if (taken !== expected) this.#bytes.copyWithin(this.#at + taken, start, start + written);
    this.#varint(written);
    this.#at += written;
  }

  bytes(tag: number, value: Uint8Array | null | undefined): void {
    if (value != null && value.length !== 0) this.putBytes(tag, value);
  }

  putBytes(tag: number, value: Uint8Array | undefined): void {
    const bytes = value instanceof Uint8Array ? value : bytesOf(value);
    this.#reserve(bytes.length + 10);
    this.#tag(tag);
    this.#varint(bytes.length);
    this.#copy(bytes);
  }

  bool(tag: number, value: boolean | null | undefined): void {
    if (value !== false && value != null) this.putBool(tag, value);
  }

  putBool(tag: number, value: boolean | undefined): void {
    if (typeof value !== "boolean") refuse(value, "a boolean");
    this.#reserve(6);
    this.#tag(tag);
    this.#bytes[this.#at++] = value ? 1 : 0;
  }

  int32(tag: number, value: number | null | undefined): void {
    if (value !== 0 && value != null) this.putInt32(tag, value);
  }

  putInt32(tag: number, value: number | string | undefined): void {
    const number = typeof value === "number" && (value | 0) === value ? value : int32Of(value);
    this.#reserve(15);
    this.#tag(tag);
    if (number >= 0) this.#varint(number);
    else this.#varint64(number, -1);
  }

  uint32(tag: number, value: number | null | undefined): void {
    if (value !== 0 && value != null) this.putUint32(tag, value);
  }

  putUint32(tag: number, value: number | string | undefined): void {
    const number = typeof value === "number" && value >>> 0 === value ? value : uint32Of(value);
    this.#reserve(10);
    this.#tag(tag);
    this.#varint(number);
  }

  int64(tag: number, value: bigint | null | undefined): void {
    if (value != null) this.#int64(tag, value, false);
  }

  putInt64(tag: number, value: bigint | string | undefined): void {
    this.#int64(tag, value, true);
  }

  uint64(tag: number, value: bigint | null | undefined): void {
    if (value != null) this.#uint64(tag, value, false);
  }

  putUint64(tag: number, value: bigint | string | undefined): void {
    this.#uint64(tag, value, true);
  }

  double(tag: number, value: number | null | undefined): void {
    if (value != null && !Object.is(value, 0)) this.putDouble(tag, value);
  }

  putDouble(tag: number, value: number | undefined): void {
    if (typeof value !== "number") refuse(value, "a number");
    this.#reserve(13);
    this.#tag(tag);
    setDouble(value);
    this.#fixed32(lowWord());
    this.#fixed32(highWord());
  }

  float(tag: number, value: number | null | undefined): void {
    if (value != null && !Object.is(value, 0)) this.putFloat(tag, value);
  }

  putFloat(tag: number, value: number | undefined): void {
    if (typeof value !== "number" || (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))) {
      refuse(value, "a number of 32 bits");
    }
    this.#reserve(9);
    this.#tag(tag);
    this.#fixed32(floatBits(value));
  }

  /** As they came. */
  #unknown(fields: readonly UnknownField[]): void {
    for (const { no, wireType, data } of fields) {
      this.#reserve(5 + data.length);
      this.#varint(((no << 3) | wireType) >>> 0);
      this.#copy(data);
    }
  }

  /** Moves what has been written since `start` away from a length that takes more than one byte. */
  #makeRoom(start: number, length: number): void {
    const extra = lengthBytes(length) - 1;
    this.#reserve(extra);
    this.#bytes.copyWithin(start + extra, start, this.#at);
    this.#at = start - 1;
    this.#varint(length);
    this.#at += length;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }

  #tag(tag: number): void {
    if (tag < 0x80) {
      if (tag !== 0) this.#bytes[this.#at++] = tag;
    } else this.#varint(tag);
  }

  /** @param value without a sign */
  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#at = at;
  }

  #int64(tag: number, value: unknown, isZeroPut: boolean): void {
    const number = typeof value === "bigint" ? value : bigintOf(value);
    if (!setSigned(number)) refuse(value, "an integer of 64 bits");
    this.#word(tag, isZeroPut);
  }

  #uint64(tag: number, value: unknown, isZeroPut: boolean): void {
    const number = typeof value === "bigint" ? value : bigintOf(value);
    if (!setUnsigned(number)) refuse(value, "an integer of 64 bits without a sign");
    this.#word(tag, isZeroPut);
  }

  /** What has been set. */
  #word(tag: number, isZeroPut: boolean): void {
    const low = lowWord();
    const high = highWord();
    if (low === 0 && high === 0 && !isZeroPut) return;
    this.#reserve(15);
    this.#tag(tag);
    this.#varint64(low, high);
  }

  #varint64(low: number, high: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let lowBits = low >>> 0;
    let highBits = high >>> 0;
    while (highBits !== 0) {
      bytes[at++] = (lowBits & 0x7f) | 0x80;
      lowBits = ((lowBits >>> 7) | (highBits << 25)) >>> 0;
      highBits >>>= 7;
    }
    this.#at = at;
    this.#varint(lowBits);
  }

  #fixed32(bits: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = bits;
    bytes[at + 1] = bits >>> 8;
    bytes[at + 2] = bits >>> 16;
    bytes[at + 3] = bits >>> 24;
    this.#at = at + 4;
  }

  #copy(from: Uint8Array): void {
    const { length } = from;
    if (length > longestByHandBytes) this.#bytes.set(from, this.#at);
    else for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = from[i] as number;
    this.#at += length;
  }
}

/** How many bytes a length takes as a varint. */
function lengthBytes(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x4000) return 2;
  if (length < 0x200000) return 3;
  return length < 0x10000000 ? 4 : 5;
}
