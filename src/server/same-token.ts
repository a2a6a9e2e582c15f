import { createHash, timingSafeEqual } from "node:crypto";

/** A comparison with a secret that takes the same time whatever it is given. */
export function sameToken(secret: string): (given: string) => boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const expected = digest(secret);
  return (given) => timingSafeEqual(digest(given), expected);
}
