import { formatUuid, normalizeUuid } from "../../codec/index.js";

/** The id of a log source in its usual spelling. @throws TypeError when it is no UUID. */
export function sourceIdOf(source: string | Uint8Array): string {
  const id = typeof source === "string" ? normalizeUuid(source) : formatUuid(source);
  if (id === undefined) {
    throw new TypeError(`a log source is a UUID, as text or as 16 bytes, and not ${String(source)}`);
  }
  return id;
}
