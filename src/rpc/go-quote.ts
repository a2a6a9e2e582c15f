const short: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/**
 * A text in double quotes, with the escapes of Go's `%q`: texts of the reference server quote names so, and
 * clients compare them.
 * @param bytes the text as UTF-8; bytes that are not UTF-8 become `\xNN`.
 */
export function goQuote(bytes: Uint8Array | string): string {
  const input = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  let quoted = '"';
  for (let at = 0; at < input.length; ) {
    const { character, length } = characterAt(input, at);
    if (character === undefined) quoted += `\\x${hex(input[at] ?? 0, 2)}`;
    else quoted += escaped(character);
    at += length;
  }
  return `${quoted}"`;
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const known = short[code];
  if (known !== undefined) return known;
  if (printable.test(character)) return character;
  if (code < 0x80) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The character that begins at a place; none where the byte there does not begin one. */
function characterAt(bytes: Uint8Array, at: number): { character: string | undefined; length: number } {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return { character: String.fromCharCode(first), length: 1 };
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  try {
    return { character: strict.decode(bytes.subarray(at, at + length)), length };
  } catch {
    return { character: undefined, length: 1 };
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
