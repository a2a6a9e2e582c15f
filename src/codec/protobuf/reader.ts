import { emptyBytes } from "../byte-pieces.js";
import { readText } from "./text.js";
import { doubleOf, floatOf, signedOf, unsignedOf } from "./words.js";
import type { UnknownField } from "./writer.js";

/** Messages within messages, and groups, are read so deep. */
const maxDepth = 100;

// How a field is written.
const varintType = 0;
const bit64Type = 1;
const lengthType = 2;
const startGroupType = 3;
const endGroupType = 4;
const bit32Type = 5;

/**
 * What is generated for a message: it reads the fields up to `end`. Within other messages it is called without an end, and
 * reads the length first; and with what has been read of the message so far, if anything has.
 */
export type ReadMessage<T> = (reader: Reader, message: undefined, end: number) => T;

/**
 * Reads messages. Generated code calls it. It takes what protobuf-es takes: the wire type of a field that is
 * known says nothing but whether a list is packed, and a value may reach beyond the end of its message as
 * long as it is within the bytes given.
 *
 * All methods throw Error when the bytes end within a value or are not Protobuf.
 */
export class Reader {
  #bytes = emptyBytes;
  #length = 0;
  #at = 0;
  #depth = 0;
  /** The last 64-bit integer: those of a message are often the same, such as times. */
  #last = { low: 0, high: 0, signed: 0n, unsigned: 0n };

  /** Begins with the bytes of a message. @returns their end. */
  begin(bytes: Uint8Array): number {
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#at = 0;
    this.#depth = 1;
    return bytes.length;
  }

  /** Lets go of the bytes. */
  reset(): void {
    this.#bytes = emptyBytes;
  }

  /** Begins a message within the message. @returns where it ends. */
  open(): number {
    const end = this.entry();
    if (++this.#depth > maxDepth) throw tooDeep();
    return end;
  }

  /** Whether the message goes on. After false it is over. */
  more(end: number): boolean {
    if (this.#at < end) return true;
    this.#depth--;
    return false;
  }

  /** Begins the entry of a map, or a packed list. @returns where it ends. */
  entry(): number {
    const length = this.uint32();
    const end = this.#at + length;
    if (end > this.#length) throw this.#cutOff();
    return end;
  }

  /** Whether an entry or a packed list goes on. */
  within(end: number): boolean {
    return this.#at < end;
  }

  /** The number of the next field in the upper bits, and in the lower three how it is written. */
  tag(): number {
    const byte = this.#bytes[this.#at] as number;
    // NaN and undefined, behind the end, are not less than anything
    if (byte < 0x80 && byte > 7 && (byte & 7) < 6) {
      this.#at++;
      return byte;
    }
    return this.#longTag();
  }

  string(): string {
    const length = this.uint32();
    const start = this.#at;
    const end = start + length;
    if (end > this.#length) throw this.#cutOff();
    this.#at = end;
    return length === 0 ? "" : readText(this.#bytes, start, end);
  }

  /** A view of the bytes that are read. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.#at;
    const end = start + length;
    if (end > this.#length) throw this.#cutOff();
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  bool(): boolean {
    const byte = this.#bytes[this.#at] as number;
    if (byte < 0x80) {
      this.#at++;
      return byte !== 0;
    }
    this.#word();
    return this.#last.low !== 0 || this.#last.high !== 0;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  /** Bits above the 32nd are dropped. */
  uint32(): number {
    const byte = this.#bytes[this.#at] as number;
    if (byte < 0x80) {
      this.#at++;
      return byte;
    }
    return this.#longVarint();
  }

  int64(): bigint {
    this.#word();
    return this.#last.signed;
  }

  uint64(): bigint {
    this.#word();
    return this.#last.unsigned;
  }

  double(): number {
    const low = this.#fixed32();
    return doubleOf(low, this.#fixed32());
  }

  float(): number {
    return floatOf(this.#fixed32());
  }

  /** Keeps a field that the schema does not know. */
  unknown(message: { $unknown?: UnknownField[] | undefined }, tag: number): void {
    const start = this.#at;
    this.skip(tag);
    message.$unknown ??= [];
    message.$unknown.push({ no: tag >>> 3, wireType: tag & 7, data: this.#bytes.subarray(start, this.#at) });
  }

  /** Goes on behind a field. */
  skip(tag: number): void {
    this.#skip(tag, maxDepth - this.#depth);
  }

  #skip(tag: number, depthLeft: number): void {
    switch (tag & 7) {
      case varintType:
        // of any length: it has no meaning here
        while (((this.#bytes[this.#at++] as number) & 0x80) !== 0);
        break;
      case bit64Type:
        this.#at += 8;
        break;
      case bit32Type:
        this.#at += 4;
        break;
      case lengthType: {
        const length = this.uint32();
        this.#at += length;
        break;
      }
      case startGroupType:
        this.#skipGroup(tag >>> 3, depthLeft);
        break;
      default:
        throw new Error(`a group ends at byte ${this.#at} that has not begun`);
    }
    if (this.#at > this.#length) throw this.#cutOff();
  }

  #skipGroup(no: number, depthLeft: number): void {
    if (depthLeft <= 0) throw tooDeep();
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) === endGroupType) {
        if (tag >>> 3 !== no) throw new Error(`group ${no} ends as group ${tag >>> 3} at byte ${this.#at}`);
        return;
      }
      this.#skip(tag, depthLeft - 1);
    }
  }

  #longTag(): number {
    const start = this.#at;
    const tag = this.uint32();
    const taken = this.#at - start;
    const isOver = taken > 5 || (taken === 5 && (this.#bytes[this.#at - 1] as number) > 0x0f);
    if (isOver || tag < 8 || (tag & 7) > 5) throw new Error(`illegal tag at byte ${start}`);
    return tag;
  }

  #longVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#next();
      // a shift beyond 31 would begin again at 0
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw this.#tooLong();
  }

  /** Reads a 64-bit integer into `#last`. */
  #word(): void {
    let low = 0;
    let high = 0;
    let shift = 0;
    for (; ; shift += 7) {
      if (shift === 70) throw this.#tooLong();
      const byte = this.#next();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) break;
    }
    const last = this.#last;
    if (last.low === low && last.high === high) return;
    last.low = low;
    last.high = high;
    last.signed = signedOf(low, high);
    last.unsigned = high < 0 ? unsignedOf(low, high) : last.signed;
  }

  #fixed32(): number {
    const at = this.#at;
    if (at + 4 > this.#length) throw this.#cutOff();
    this.#at = at + 4;
    const bytes = this.#bytes;
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    );
  }

  #next(): number {
    if (this.#at >= this.#length) throw this.#cutOff();
    return this.#bytes[this.#at++] as number;
  }

  #cutOff(): Error {
    return new RangeError(`premature EOF: the ${this.#length} bytes end within a value`);
  }

  #tooLong(): Error {
    return new Error(`invalid varint: more than ten bytes before byte ${this.#at}`);
  }
}

function tooDeep(): Error {
  return new Error(`maximum recursion depth of ${maxDepth} reached`);
}
