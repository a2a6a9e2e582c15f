/** What a reader found wrong with bytes, as a stable word. */
export type WireErrorCode =
  /** A varint has more than ten bytes. */
  | "varint-too-long"
  /** A dRPC frame's id is lower than one seen before, or zero. */
  | "id-monotonicity"
  /** Two frames of one dRPC packet have different kinds. */
  | "packet-kind-change"
  /** A dRPC packet is larger than the reader's limit. */
  | "data-overflow"
  /** A dRPC metadata payload does not decode. */
  | "metadata-invalid"
  /** A yamux header has a version other than 0. */
  | "yamux-version"
  /** A yamux header has a type other than 0 to 3. */
  | "yamux-type"
  /** A boundary frame has a tag that is neither 1 nor 2. */
  | "boundary-tag"
  /** A boundary frame is larger than 32,768 bytes. */
  | "boundary-size";

const brand = Symbol.for("agentwire.WireError");

/**
 * Bytes that break a wire format. A reader that has thrown one is done for: where in the stream the next
 * good frame begins is not known.
 */
export class WireError extends Error {
  readonly code: WireErrorCode;
  /** The format that was broken. */
  readonly layer: "yamux" | "drpc" | "boundary";

  constructor(layer: "yamux" | "drpc" | "boundary", code: WireErrorCode, message: string) {
    super(message);
    this.name = "WireError";
    this.layer = layer;
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }
}
