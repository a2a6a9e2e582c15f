const shortEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
  '"': 34,
};

/** Escapes with digits: how many, of which kind. `x` and octal ones are bytes, the others characters. */
const digitEscapes: Readonly<Record<string, { digits: RegExp; radix: number; isByte: boolean }>> = {
  x: { digits: /[0-9a-fA-F]{2}/y, radix: 16, isByte: true },
  u: { digits: /[0-9a-fA-F]{4}/y, radix: 16, isByte: false },
  U: { digits: /[0-9a-fA-F]{8}/y, radix: 16, isByte: false },
};
const octalDigits = /[0-7]{3}/y;

/**
 * The value of a text as the inside of a double-quoted string of Go. Bytes that its escapes make and that are not
 * UTF-8 become U+FFFD, one for each.
 * @returns undefined when it is none: an escape that Go does not have, a double quote or a newline.
 */
export function goUnquote(text: string): string | undefined {
  if (!/["\n\\]/.test(text)) return text;
  const bytes = new ByteText();
  for (let at = 0; at < text.length; ) {
    const backslash = text.indexOf("\\", at);
    const plain = text.slice(at, backslash < 0 ? text.length : backslash);
    if (/["\n]/.test(plain)) return undefined;
    bytes.addText(plain);
    if (backslash < 0) break;
    const next = addEscape(bytes, text, backslash + 1);
    if (next === undefined) return undefined;
    at = next;
  }
  return bytes.toString();
}

/** @returns where the text goes on after the escape; undefined when it is none. */
function addEscape(bytes: ByteText, text: string, at: number): number | undefined {
  const letter = text.charAt(at);
  const short = shortEscapes[letter];
  if (short !== undefined) {
    bytes.addByte(short);
    return at + 1;
  }
  const numeric = digitEscapes[letter];
  if (numeric !== undefined) {
    const digits = matchAt(numeric.digits, text, at + 1);
    if (digits === undefined) return undefined;
    const value = Number.parseInt(digits, numeric.radix);
    if (numeric.isByte) bytes.addByte(value);
    else if (isCharacter(value)) bytes.addText(String.fromCodePoint(value));
    else return undefined;
    return at + 1 + digits.length;
  }
  const octal = matchAt(octalDigits, text, at);
  const value = Number.parseInt(octal ?? "", 8);
  if (octal === undefined || value > 255) return undefined;
  bytes.addByte(value);
  return at + octal.length;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function isCharacter(value: number): boolean {
  return value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff);
}

/** Text of which single bytes may be given. */
class ByteText {
  #text = "";
  /** Bytes of 0x80 and more that are not text yet: what follows may belong to the same character. */
  #bytes: number[] = [];

  addText(text: string): void {
    if (text === "") return;
    // a character that follows may not begin with what completes another: only bytes can do that
    this.#flush();
    this.#text += text;
  }

  addByte(byte: number): void {
    if (byte < 0x80) this.addText(String.fromCharCode(byte));
    else this.#bytes.push(byte);
  }

  toString(): string {
    this.#flush();
    return this.#text;
  }

  #flush(): void {
    if (this.#bytes.length === 0) return;
    this.#text += decoded(this.#bytes);
    this.#bytes = [];
  }
}

/** Bytes of 0x80 and more as text; each that is not part of a character is U+FFFD, as Go counts them. */
function decoded(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    text += length === 0 ? "\ufffd" : String.fromCodePoint(codePoint(bytes, at, length));
    at += Math.max(1, length);
  }
  return text;
}

/** How many bytes the character has that begins at a place; 0 when none does. */
function characterLength(bytes: readonly number[], at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  // the second byte says whether it is a surrogate, too large, or longer than it need be
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1] ?? 0;
  if (second < least || second > most) return 0;
  for (let i = at + 2; i < at + length; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x80 || byte > 0xbf) return 0;
  }
  return length;
}

function codePoint(bytes: readonly number[], at: number, length: number): number {
  const first = (bytes[at] ?? 0) & (0xff >> (length + 1));
  return bytes.slice(at + 1, at + length).reduce((code, byte) => (code << 6) | (byte & 0x3f), first);
}
