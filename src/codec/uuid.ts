/** Bytes of a UUID on the wire. */
export const uuidBytes = 16;

/** The UUID of all zeros. */
export const nilUuid = "00000000-0000-0000-0000-000000000000";

const hexOf: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** 16 bytes as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`; undefined for any other length. */
export function formatUuid(bytes: Uint8Array): string | undefined {
  if (bytes.length !== uuidBytes) return undefined;
  let text = "";
  for (let i = 0; i < uuidBytes; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += hexOf[bytes[i] ?? 0];
  }
  return text;
}

const forms = /^(?:urn:uuid:|\{)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i;

/**
 * A UUID in one of its four spellings (with hyphens, `urn:uuid:`, in braces, 32 digits) in the usual one, lower-case;
 * undefined when it is none. Version and variant are not looked at. S1.8.
 */
export function normalizeUuid(text: string): string | undefined {
  if (/^[0-9a-f]{32}$/i.test(text)) {
    const digits = text.toLowerCase();
    return [
      digits.slice(0, 8),
      digits.slice(8, 12),
      digits.slice(12, 16),
      digits.slice(16, 20),
      digits.slice(20),
    ].join("-");
  }
  const isBraced = text.startsWith("{");
  if (isBraced !== text.endsWith("}")) return undefined;
  return forms.exec(text)?.[1]?.toLowerCase();
}

/** The 16 bytes of a UUID; undefined when the text is none. */
export function parseUuid(text: string): Uint8Array | undefined {
  const digits = normalizeUuid(text)?.replaceAll("-", "");
  if (digits === undefined) return undefined;
  const bytes = new Uint8Array(uuidBytes);
  for (let i = 0; i < uuidBytes; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
