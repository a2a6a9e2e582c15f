import { parseUuid, uuidBytes } from "../../codec/index.js";
import { errorText } from "../../rpc/error-text.js";
import { goQuote } from "../../rpc/go-quote.js";

/** An address and how much of it counts. */
export interface AddressPrefix {
  /** 16 bytes, or 4 for IPv4. */
  readonly address: Uint8Array;
  readonly bits: number;
}

/** `fd7a:115c:a1e0::/48` and `fd60:627a:a42b::/48`: an agent's id has its first six bytes replaced by one of them. */
const servicePrefixes = [
  [0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0],
  [0xfd, 0x60, 0x62, 0x7a, 0xa4, 0x2b],
] as const;

/** The address that all agents had before each had its own. */
const legacyAddress = parseNodePrefix("fd7a:115c:a1e0:49d6:b259:b7ac:b1b2:48f4/128").address;

/**
 * The addresses that an agent may have: two made of its id, and the legacy one. S4.12.
 * @throws TypeError when the id is no UUID.
 */
export function agentAddresses(agentId: string): readonly Uint8Array[] {
  const id = parseUuid(agentId);
  if (id === undefined) throw new TypeError(`the id of an agent is a UUID, not "${agentId}"`);
  return [...servicePrefixes.map((prefix) => Uint8Array.of(...prefix, ...id.subarray(6))), legacyAddress];
}

/**
 * Parses a prefix such as `fd7a:115c:a1e0::1/128` or `192.0.2.0/24`.
 * @throws Error in the words of the reference server's language: clients show them to people. S4.12.
 */
export function parseNodePrefix(text: string): AddressPrefix {
  const slash = text.lastIndexOf("/");
  try {
    if (slash < 0) throw new Error("no '/'");
    const { address, zone } = parseAddress(text.slice(0, slash));
    if (zone !== undefined) throw new Error("IPv6 zones cannot be present in a prefix");
    return { address, bits: parseBits(text.slice(slash + 1), address.length * 8) };
  } catch (error) {
    throw new Error(`netip.ParsePrefix(${quoted(text)}): ${errorText(error)}`);
  }
}

/** An address as the reference server writes it: the longest run of zeros, of two groups at least, as `::`. */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const isMapped = address.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 0xff));
  if (isMapped) return `::ffff:${address.subarray(12).join(".")}`;
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0),
  );
  const { start, end } = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (end - start < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(end).join(":")}`;
}

function longestZeros(groups: readonly number[]): { start: number; end: number } {
  let longest = { start: 0, end: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > longest.end - longest.start) longest = { start, end };
    start = Math.max(start, end);
  }
  return longest;
}

function parseBits(text: string, most: number): number {
  const isNumber = /^(0|[1-9][0-9]*)$/.test(text) && BigInt(text.slice(0, 20)) <= 0x7fffffffffffffffn;
  if (!isNumber) throw new Error(`bad bits after slash: ${quoted(text)}`);
  if (Number(text) > most) throw new Error("prefix length out of range");
  return Number(text);
}

/** In quotes; of a long text the beginning, which is more than any address. */
function quoted(text: string): string {
  return goQuote(text.slice(0, 256));
}

/** What is wrong with an address, and from where on. */
function fault(whole: string, what: string, rest?: string): Error {
  const at = rest === undefined ? "" : ` (at ${quoted(rest)})`;
  return new Error(`ParseAddr(${quoted(whole)}): ${what}${at}`);
}

function parseAddress(text: string): { address: Uint8Array; zone: string | undefined } {
  const first = /[.:%]/.exec(text)?.[0];
  if (first === undefined) throw fault(text, "unable to parse IP");
  if (first === "%") throw fault(text, "missing IPv6 address");
  if (first === ".") return { address: Uint8Array.from(parseIpv4(text, text)), zone: undefined };
  const percent = text.indexOf("%");
  if (percent < 0) return { address: parseIpv6(text, text), zone: undefined };
  const zone = text.slice(percent + 1);
  if (zone === "") throw fault(text, "zone must be a non-empty string");
  return { address: parseIpv6(text, text.slice(0, percent)), zone };
}

/** @param whole what errors name. */
function parseIpv4(whole: string, text: string): number[] {
  const bytes: number[] = [];
  let digits = "";
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (/[0-9]/.test(character)) {
      if (digits === "0") throw fault(whole, "IPv4 field has octet with leading zero");
      digits += character;
      if (Number(digits) > 255) throw fault(whole, "IPv4 field has value >255");
    } else if (character === ".") {
      const isLast = i === text.length - 1;
      if (digits === "" || isLast)
        throw fault(whole, "IPv4 field must have at least one digit", text.slice(i));
      if (bytes.length === 3) throw fault(whole, "IPv4 address too long");
      bytes.push(Number(digits));
      digits = "";
    } else throw fault(whole, "unexpected character", text.slice(i));
  }
  if (bytes.length < 3) throw fault(whole, "IPv4 address too short");
  return [...bytes, Number(digits)];
}

/** @param whole what errors name. */
function parseIpv6(whole: string, text: string): Uint8Array {
  const bytes: number[] = [];
  /** Where `::` stands. */
  let gap: number | undefined;
  let rest = text;
  if (rest.startsWith("::")) {
    gap = 0;
    rest = rest.slice(2);
  }
  while (rest !== "" && bytes.length < uuidBytes) {
    const digits = /^[0-9a-f]*/i.exec(rest)?.[0] ?? "";
    if (digits.length > 4) throw fault(whole, "each group must have 4 or less digits", rest);
    if (digits === "") throw fault(whole, "each colon-separated field must have at least one digit", rest);
    if (rest[digits.length] === ".") {
      bytes.push(...embeddedIpv4(whole, rest, bytes.length, gap));
      rest = "";
      break;
    }
    const group = Number.parseInt(digits, 16);
    bytes.push(group >> 8, group & 0xff);
    rest = rest.slice(digits.length);
    if (rest === "") break;
    if (rest[0] !== ":") throw fault(whole, "unexpected character, want colon", rest);
    if (rest === ":") throw fault(whole, "colon must be followed by more characters", rest);
    rest = rest.slice(1);
    if (rest[0] === ":") {
      if (gap !== undefined) throw fault(whole, "multiple :: in address", rest);
      gap = bytes.length;
      rest = rest.slice(1);
    }
  }
  if (rest !== "") throw fault(whole, "trailing garbage after address", rest);
  return filled(whole, bytes, gap);
}

function embeddedIpv4(whole: string, rest: string, place: number, gap: number | undefined): number[] {
  if (gap === undefined && place !== 12) {
    throw fault(whole, "embedded IPv4 address must replace the final 2 fields of the address", rest);
  }
  if (place > 12) {
    throw fault(whole, "too many hex fields to fit an embedded IPv4 at the end of the address", rest);
  }
  return parseIpv4(whole, rest);
}

/** Puts zeros where `::` stands. */
function filled(whole: string, bytes: readonly number[], gap: number | undefined): Uint8Array {
  if (bytes.length === uuidBytes) {
    if (gap !== undefined) throw fault(whole, "the :: must expand to at least one field of zeros");
    return Uint8Array.from(bytes);
  }
  if (gap === undefined) throw fault(whole, "address string too short");
  const address = new Uint8Array(uuidBytes);
  address.set(bytes.slice(0, gap));
  address.set(bytes.slice(gap), uuidBytes - (bytes.length - gap));
  return address;
}
