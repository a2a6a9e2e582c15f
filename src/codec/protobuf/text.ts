import { longestShortBytes, shortText } from "./short-text.js";

/** What of Node's Buffer is used where there is one: both work on any Uint8Array. */
interface NativeText {
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
}

const native = (globalThis as { Buffer?: { prototype?: Partial<NativeText> } }).Buffer?.prototype;
const utf8Write = native?.utf8Write;
const utf8Slice = native?.utf8Slice;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Texts up to here are written here: asking the engine costs more. */
const longestByHandUnits = 12;

/**
 * Writes a text as UTF-8; a lone surrogate becomes U+FFFD. There must be room for three bytes per UTF-16
 * unit.
 * @returns how many bytes it took.
 */
export function writeText(bytes: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (length <= longestByHandUnits) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      bytes[at + i] = unit;
    }
    if (i === length) return length;
  }
  if (utf8Write !== undefined) return utf8Write.call(bytes, text, at, length * 3);
  return encoder.encodeInto(text, bytes.subarray(at, at + length * 3)).written;
}

/**
 * Reads UTF-8. A byte order mark is kept.
 * @throws TypeError when it is not UTF-8.
 */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= longestShortBytes && isAscii(bytes, start, end)) return shortText(bytes, start, end);
  if (utf8Slice !== undefined) {
    const text = utf8Slice.call(bytes, start, end);
    // either U+FFFD was sent, or it stands for what is not UTF-8
    if (!text.includes("\ufffd")) return text;
  }
  return strictDecoder.decode(bytes.subarray(start, end));
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let bits = 0;
  for (let i = start; i < end; i++) bits |= bytes[i] as number;
  return bits < 0x80;
}
