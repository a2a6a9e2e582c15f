const words = new Int32Array(2);
const signed = new BigInt64Array(words.buffer);
const unsigned = new BigUint64Array(words.buffer);
const double = new Float64Array(words.buffer);
const float = new Float32Array(words.buffer);
const octets = new Uint8Array(words.buffer);
/** Which word has the lower bits: of what is written as 1, the first where the machine is little-endian. */
const low = firstOctetOfOne();
const high = 1 - low;

/**
 * Eight bytes of memory in which numbers change their form: arrays of each form are views of the same bytes.
 * It is much faster than calculating with bigints.
 */
export const word = {
  get low(): number {
    return words[low] as number;
  },
  get high(): number {
    return words[high] as number;
  },

  /** @returns false when it does not fit into 64 bits with a sign. */
  setSigned(value: bigint): boolean {
    signed[0] = value;
    return signed[0] === value;
  },

  /** @returns false when it does not fit into 64 bits without a sign. */
  setUnsigned(value: bigint): boolean {
    unsigned[0] = value;
    return unsigned[0] === value;
  },

  signed(lowBits: number, highBits: number): bigint {
    words[low] = lowBits;
    words[high] = highBits;
    return signed[0] as bigint;
  },

  unsigned(lowBits: number, highBits: number): bigint {
    words[low] = lowBits;
    words[high] = highBits;
    return unsigned[0] as bigint;
  },

  setDouble(value: number): void {
    double[0] = value;
  },

  double(lowBits: number, highBits: number): number {
    words[low] = lowBits;
    words[high] = highBits;
    return double[0] as number;
  },

  /** As the low word of {@link floatBits}. */
  floatBits(value: number): number {
    float[0] = value;
    return words[0] as number;
  },

  float(bits: number): number {
    words[0] = bits;
    return float[0] as number;
  },
};

function firstOctetOfOne(): 0 | 1 {
  words[0] = 1;
  return octets[0] === 1 ? 0 : 1;
}
