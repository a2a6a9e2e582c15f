/** What takes the place of things that a log line cannot have. C3.7. */
const replacement = "❌";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of a U+FFFD that is really there. */
const replacementCharacter = [0xef, 0xbf, 0xbd] as const;

/** Text that is valid and without NUL: each run of what is invalid, and each NUL, becomes `❌`. C3.7. */
export function sanitizedText(from: string | Uint8Array): string {
  const text = typeof from === "string" ? from.replace(/\p{Surrogate}+/gu, replacement) : decoded(from);
  return text.replaceAll("\0", replacement);
}

/** How many bytes a text without lone surrogates has in UTF-8; counted without making them. */
export function utf8ByteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // a surrogate is half of a character of four bytes
    const isOfThree = unit >= 0x800 && (unit & 0xf800) !== 0xd800;
    bytes += isOfThree ? 2 : 1;
  }
  return bytes;
}

function decoded(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return piecesBetween(bytes, replacementCharacter)
      .map((piece) => lossy.decode(piece).replace(/\uFFFD+/g, replacement))
      .join("\uFFFD");
  }
}

function piecesBetween(bytes: Uint8Array, [a, b, c]: readonly [number, number, number]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (let i = bytes.indexOf(a); i >= 0; i = bytes.indexOf(a, i + 1)) {
    if (bytes[i + 1] !== b || bytes[i + 2] !== c) continue;
    pieces.push(bytes.subarray(start, i));
    start = i + 3;
  }
  pieces.push(bytes.subarray(start));
  return pieces;
}
