/* The named characters of HTML 4, which browsers and HTML libraries decode in text. */

/** From U+00A0 to U+00FF, in that order. They, and the few of `shortNames`, are read without a semicolon too. */
const latin1 =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute " +
  "micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig " +
  "Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash " +
  "Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute " +
  "ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc " +
  "uuml yacute thorn yuml";

const shortNames = 'amp & lt < gt > quot " AMP & LT < GT > QUOT " COPY © REG ®';

const longNames =
  "apos ' OElig Œ oelig œ Scaron Š scaron š Yuml Ÿ fnof ƒ circ ˆ tilde ˜ Alpha Α Beta Β Gamma Γ Delta Δ Epsilon Ε " +
  "Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ " +
  "Chi Χ Psi Ψ Omega Ω alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ " +
  "nu ν xi ξ omicron ο pi π rho ρ sigmaf ς sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω thetasym ϑ upsih ϒ " +
  "piv ϖ ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “ rdquo ” bdquo „ dagger † Dagger ‡ bull • hellip … permil ‰ " +
  "prime ′ Prime ″ lsaquo ‹ rsaquo › oline ‾ frasl ⁄ euro € image ℑ weierp ℘ real ℜ trade ™ alefsym ℵ larr ← " +
  "uarr ↑ rarr → darr ↓ harr ↔ crarr ↵ lArr ⇐ uArr ⇑ rArr ⇒ dArr ⇓ hArr ⇔ forall ∀ part ∂ exist ∃ empty ∅ nabla ∇ " +
  "isin ∈ notin ∉ ni ∋ prod ∏ sum ∑ minus − lowast ∗ radic √ prop ∝ infin ∞ ang ∠ and ∧ or ∨ cap ∩ cup ∪ int ∫ " +
  "there4 ∴ sim ∼ cong ≅ asymp ≈ ne ≠ equiv ≡ le ≤ ge ≥ sub ⊂ sup ⊃ nsub ⊄ sube ⊆ supe ⊇ oplus ⊕ otimes ⊗ perp ⊥ " +
  "sdot ⋅ lceil ⌈ rceil ⌉ lfloor ⌊ rfloor ⌋ lang ⟨ rang ⟩ loz ◊ spades ♠ clubs ♣ hearts ♥ diams ♦ check ✓";

/** Spaces and joiners, which cannot be seen in a table. */
const invisible: readonly (readonly [string, number])[] = [
  ["ensp", 0x2002],
  ["emsp", 0x2003],
  ["thinsp", 0x2009],
  ["zwnj", 0x200c],
  ["zwj", 0x200d],
  ["lrm", 0x200e],
  ["rlm", 0x200f],
  ["Tab", 9],
  ["NewLine", 10],
];

const withoutSemicolon = new Map<string, string>([
  ...latin1.split(" ").map((name, index) => [name, String.fromCharCode(0xa0 + index)] as const),
  ...pairs(shortNames),
]);
const withSemicolon = new Map<string, string>([
  ...withoutSemicolon,
  ...pairs(longNames),
  ...invisible.map(([name, code]) => [name, String.fromCharCode(code)] as const),
]);

/** What HTML reads for the numbers from 0x80 to 0x9F, which Windows-1252 gives a meaning; 0 for none. */
const windows1252 = [
  0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
  0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
  0x0153, 0, 0x017e, 0x0178,
];

const reference = /&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([a-zA-Z][a-zA-Z0-9]*)(;?))/g;

/** A text with its character references decoded: `&lt;`, `&#60;`, `&#x3c;`. Unknown ones stay as they are. */
export function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(reference, (whole, hex?: string, decimal?: string, name?: string, end?: string) => {
    if (hex !== undefined) return numbered(Number.parseInt(hex, 16));
    if (decimal !== undefined) return numbered(Number.parseInt(decimal, 10));
    return named(name ?? "", end ?? "") ?? whole;
  });
}

function named(name: string, end: string): string | undefined {
  const exact = end === ";" ? withSemicolon.get(name) : undefined;
  if (exact !== undefined) return exact;
  // the longest that needs no semicolon: &notit; is ¬it;
  for (let length = Math.min(name.length, longestWithoutSemicolon); length > 1; length--) {
    const character = withoutSemicolon.get(name.slice(0, length));
    if (character !== undefined) return character + name.slice(length) + end;
  }
  return undefined;
}

const longestWithoutSemicolon = 6;

function numbered(code: number): string {
  const known = code >= 0x80 && code <= 0x9f ? windows1252[code - 0x80] : undefined;
  if (known !== undefined && known !== 0) return String.fromCharCode(known);
  const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : "\ufffd";
}

function pairs(table: string): [string, string][] {
  const words = table.split(" ");
  return words.flatMap((name, index) =>
    index % 2 === 0 ? [[name, words[index + 1] ?? ""] as [string, string]] : [],
  );
}
