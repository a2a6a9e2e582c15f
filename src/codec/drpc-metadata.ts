import { WireError } from "./errors.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { VarintAccumulator, varintLength, writeVarint } from "./varint.js";

/*
 * The body of an InvokeMetadata packet, W4.6: the protobuf encoding of map<string, string> in field 1.
 *
 *   0x0A length  0x0A key-length key  0x12 value-length value      … repeated
 *
 * Stricter than protobuf: the key comes first, both are there, and nothing else.
 */
const entryTag = 0x0a;
const keyTag = 0x0a;
const valueTag = 0x12;

/** Writes metadata in the order given. */
export function encodeMetadata(pairs: Iterable<readonly [string, string]>): Uint8Array {
  const encoded: { key: Uint8Array; value: Uint8Array; length: number }[] = [];
  let total = 0;
  for (const [name, text] of pairs) {
    const key = encodeUtf8(name);
    const value = encodeUtf8(text);
    const length = 1 + varintLength(key.length) + key.length + 1 + varintLength(value.length) + value.length;
    encoded.push({ key, value, length });
    total += 1 + varintLength(length) + length;
  }
  const out = new Uint8Array(total);
  let offset = 0;
  const writeBytes = (tag: number, bytes: Uint8Array) => {
    out[offset++] = tag;
    offset = writeVarint(out, offset, bytes.length);
    out.set(bytes, offset);
    offset += bytes.length;
  };
  for (const { key, value, length } of encoded) {
    out[offset++] = entryTag;
    offset = writeVarint(out, offset, length);
    writeBytes(keyTag, key);
    writeBytes(valueTag, value);
  }
  return out;
}

/**
 * Reads metadata. A key that comes twice keeps its last value.
 * @throws WireError when the bytes are not metadata.
 */
export function decodeMetadata(body: Uint8Array): Map<string, string> {
  const pairs = new Map<string, string>();
  const all = new Cursor(body, 0, body.length);
  while (!all.isAtEnd) {
    const entry = all.block(entryTag);
    const key = entry.text(keyTag);
    const value = entry.text(valueTag);
    if (!entry.isAtEnd) throw invalid("bytes after the value");
    pairs.set(key, value);
  }
  return pairs;
}

class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Uint8Array, offset: number, end: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#end;
  }

  /** The contents of a length-delimited block. */
  block(tag: number): Cursor {
    const found = this.#byte();
    if (found !== tag) throw invalid(`tag ${found} where ${tag} is due`);
    const length = this.#length();
    const start = this.#offset;
    if (length > this.#end - start)
      throw invalid(`a block of ${length} bytes where ${this.#end - start} are left`);
    this.#offset = start + length;
    return new Cursor(this.#bytes, start, this.#offset);
  }

  text(tag: number): string {
    const block = this.block(tag);
    return decodeUtf8(this.#bytes.subarray(block.#offset, block.#end));
  }

  #length(): number {
    const varint = new VarintAccumulator();
    for (;;) {
      const ended = varint.push(this.#byte());
      if (ended === undefined) {
        throw new WireError("drpc", "varint-too-long", "dRPC metadata: a length is longer than ten bytes");
      }
      if (ended) return Number(varint.take());
    }
  }

  #byte(): number {
    const byte = this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
    if (byte === undefined) throw invalid("it ends too early");
    this.#offset++;
    return byte;
  }
}

function invalid(why: string): WireError {
  return new WireError("drpc", "metadata-invalid", `dRPC metadata does not decode: ${why}`);
}
