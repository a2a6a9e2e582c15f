import { ProofRefused } from "./proof-refused.js";

/**
 * The bytes of a signature in base64; line ends in it are fine.
 * @throws ProofRefused when it is not base64.
 */
export function base64Bytes(text: string): Uint8Array {
  const compact = text.replace(/[ \r\n\t]+/g, "");
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) {
    throw new ProofRefused("the signature is not base64");
  }
  return Buffer.from(compact, "base64");
}

/** A text as JSON; undefined when it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
