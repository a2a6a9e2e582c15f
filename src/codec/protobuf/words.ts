/**
 * Eight bytes of memory in which numbers change their form: arrays of each form are views of the same bytes.
 * It is much faster than calculating with bigints.
 */
const words = new Int32Array(2);
const signed = new BigInt64Array(words.buffer);
const unsigned = new BigUint64Array(words.buffer);
const double = new Float64Array(words.buffer);
const float = new Float32Array(words.buffer);
/** Which word has the lower bits: of what is written as 1, the first where the machine is little-endian. */
const low = firstOctetOfOne() === 1 ? 0 : 1;
const high = 1 - low;

// Functions and not the methods of an object, which the engine would keep as a dictionary.

export function lowWord(): number {
  return words[low] as number;
}

export function highWord(): number {
  return words[high] as number;
}

/** @returns false when it does not fit into 64 bits with a sign. */
export function setSigned(value: bigint): boolean {
  signed[0] = value;
  return signed[0] === value;
}

/** @returns false when it does not fit into 64 bits without a sign. */
export function setUnsigned(value: bigint): boolean {
  unsigned[0] = value;
  return unsigned[0] === value;
}

export function setDouble(value: number): void {
  double[0] = value;
}

/** As the word of {@link floatOf}. */
export function floatBits(value: number): number {
  float[0] = value;
  return words[0] as number;
}

export function signedOf(lowBits: number, highBits: number): bigint {
  setWords(lowBits, highBits);
  return signed[0] as bigint;
}

export function unsignedOf(lowBits: number, highBits: number): bigint {
  setWords(lowBits, highBits);
  return unsigned[0] as bigint;
}

export function doubleOf(lowBits: number, highBits: number): number {
  setWords(lowBits, highBits);
  return double[0] as number;
}

export function floatOf(bits: number): number {
  words[0] = bits;
  return float[0] as number;
}

function setWords(lowBits: number, highBits: number): void {
  words[low] = lowBits;
  words[high] = highBits;
}

function firstOctetOfOne(): number | undefined {
  words[0] = 1;
  return new Uint8Array(words.buffer)[0];
}
