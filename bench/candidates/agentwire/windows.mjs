/**
 * The windows of a variant: those of yamux, or larger ones.
 *
 * @param {string | undefined} variant
 * @returns {import("agentwire/transport").YamuxOptions}
 */
export function windowsOf(variant) {
  return variant === "1m" ? { windowBytes: 1024 * 1024 } : {};
}
