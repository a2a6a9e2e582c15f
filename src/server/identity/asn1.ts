/** One value of ASN.1, as it was encoded. */
export interface Asn1 {
  /** The first byte: class, whether it has parts, and number. */
  tag: number;
  /** All of it, with tag and length. */
  encoded: Uint8Array;
  /** Without tag and length. */
  content: Uint8Array;
  /** Of a constructed value. */
  parts: readonly Asn1[];
  /** Whether its end is marked instead of its length given, as BER allows. */
  isIndefinite: boolean;
}

/** Tags of the values that are read. */
export const asn1Tags = {
  boolean: 0x01,
  integer: 0x02,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
  set: 0x31,
  /** `[0]` with parts. */
  context0: 0xa0,
  context3: 0xa3,
} as const;

/** Bytes that are not ASN.1, or not what is expected. */
export class Asn1Error extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Asn1Error";
  }
}

const maxDepth = 32;
const constructed = 0x20;

/**
 * Reads one value in DER, or in BER with ends that are marked: some programs write signed data so.
 * @throws Asn1Error when the bytes are not exactly one value.
 */
export function readAsn1(bytes: Uint8Array): Asn1 {
  const value = readValue(bytes, 0, 0);
  if (value.encoded.length !== bytes.length) throw new Asn1Error("there are bytes behind the ASN.1 value");
  return value;
}

/**
 * The part at a place.
 * @throws Asn1Error when there is none, or one of another kind.
 */
export function partOf(value: Asn1, index: number, tag: number): Asn1 {
  const part = value.parts[index];
  if (part?.tag !== tag) throw new Asn1Error(`part ${index} of an ASN.1 value is not of kind ${tag}`);
  return part;
}

/** The bytes of an octet string, also of one that is in pieces. */
export function octetsOf(value: Asn1): Uint8Array {
  if (value.tag === asn1Tags.octetString) return value.content;
  if (value.tag !== (asn1Tags.octetString | constructed)) throw new Asn1Error("not an octet string");
  return Buffer.concat(value.parts.map(octetsOf));
}

/** An object identifier in hexadecimal, as it is encoded: enough to tell one from another. */
export function identifierOf(value: Asn1 | undefined): string {
  if (value?.tag !== asn1Tags.objectIdentifier) throw new Asn1Error("not an object identifier");
  return Buffer.from(value.content).toString("hex");
}

/** A small number that is not negative. */
export function integerOf(value: Asn1): number {
  if (value.tag !== asn1Tags.integer || value.content.length > 4) throw new Asn1Error("not a small integer");
  const number = Buffer.from(value.content).readIntBE(0, value.content.length);
  if (number < 0) throw new Asn1Error("not a small integer");
  return number;
}

function readValue(bytes: Uint8Array, start: number, depth: number): Asn1 {
  if (depth > maxDepth) throw new Asn1Error("ASN.1 values are nested too deep");
  const tag = byteAt(bytes, start);
  if ((tag & 0x1f) === 0x1f) throw new Asn1Error("an ASN.1 tag has more than one byte");
  const { length, from } = readLength(bytes, start + 1);
  const isConstructed = (tag & constructed) !== 0;
  if (length === undefined) {
    if (!isConstructed) throw new Asn1Error("an ASN.1 value without parts has no length");
    return readIndefinite(bytes, { tag, start, from, depth });
  }
  const end = from + length;
  if (end > bytes.length) throw new Asn1Error("an ASN.1 value is longer than the bytes that there are");
  const parts: Asn1[] = [];
  const content = bytes.subarray(from, end);
  for (let at = 0; isConstructed && at < content.length; ) {
    const part = readValue(content, at, depth + 1);
    parts.push(part);
    at += part.encoded.length;
  }
  return { tag, encoded: bytes.subarray(start, end), content, parts, isIndefinite: false };
}

/** The end is marked by two zeros. */
function readIndefinite(
  bytes: Uint8Array,
  { tag, start, from, depth }: { tag: number; start: number; from: number; depth: number },
): Asn1 {
  const parts: Asn1[] = [];
  let at = from;
  while (byteAt(bytes, at) !== 0 || byteAt(bytes, at + 1) !== 0) {
    const part = readValue(bytes, at, depth + 1);
    parts.push(part);
    at += part.encoded.length;
  }
  const content = bytes.subarray(from, at);
  return { tag, encoded: bytes.subarray(start, at + 2), content, parts, isIndefinite: true };
}

/** @returns no length where the end is marked instead. */
function readLength(bytes: Uint8Array, at: number): { length: number | undefined; from: number } {
  const first = byteAt(bytes, at);
  if (first < 0x80) return { length: first, from: at + 1 };
  if (first === 0x80) return { length: undefined, from: at + 1 };
  const count = first & 0x7f;
  if (count > 4) throw new Asn1Error("the length of an ASN.1 value has more than four bytes");
  let length = 0;
  for (let i = 1; i <= count; i++) length = length * 256 + byteAt(bytes, at + i);
  return { length, from: at + 1 + count };
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new Asn1Error("an ASN.1 value is cut off");
  return byte;
}
