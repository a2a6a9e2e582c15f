import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { type Uint64, uint64 } from "./varint.js";

/** The body of an Error packet. W4.7. */
export interface ErrorPayload {
  /** 0 means "no code"; numbers from 1 to 16 are those of gRPC; any other 64-bit value may come. */
  code: Uint64;
  text: string;
}

const codeBytes = 8;

/** Writes the body of an Error packet: the code in eight bytes, big endian, then the text. */
export function encodeError(code: Uint64, text: string): Uint8Array {
  const utf8 = encodeUtf8(text);
  const body = new Uint8Array(codeBytes + utf8.length);
  new DataView(body.buffer).setBigUint64(0, BigInt(code));
  body.set(utf8, codeBytes);
  return body;
}

/**
 * Reads the body of an Error packet. One of fewer than eight bytes has no code: all of it is text, marked as
 * the reference reader marks it.
 */
export function decodeError(body: Uint8Array): ErrorPayload {
  if (body.length < codeBytes) {
    return { code: 0, text: `${decodeUtf8(body)} (drpcwire note: invalid error data)` };
  }
  const view = new DataView(body.buffer, body.byteOffset, codeBytes);
  return { code: uint64(view.getBigUint64(0)), text: decodeUtf8(body.subarray(codeBytes)) };
}
