import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";

/** DER: a tag, and what is in it. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const short = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.of(tag, 0x80 | short.length), short, body]);
}

/** BER: the same with its end marked. */
export function indefinite(tag: number, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(tag, 0x80), ...content, Buffer.of(0, 0)]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) groups.unshift(0x80 | (left & 0x7f));
    return groups;
  });
  return der(0x06, Buffer.from(bytes));
}

const octets = (bytes: Uint8Array) => der(0x04, bytes);
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]) => der(0x31, ...parts);
const integer = (value: number) => der(0x02, Buffer.of(value));

const sha256Ids = { rsa: "1.2.840.113549.1.1.11", ec: "1.2.840.10045.4.3.2" };

function signatureAlgorithm(key: KeyObject): Buffer {
  return sequence(oid(key.asymmetricKeyType === "rsa" ? sha256Ids.rsa : sha256Ids.ec));
}

/** Who signs: a name, a key, and a certificate of another. */
export interface Authority {
  name: string;
  key: KeyObject;
  pem: string;
  raw: Buffer;
}

export interface CertificateOptions {
  name: string;
  /** Itself by default. */
  issuer?: Authority | undefined;
  keyPair?: { publicKey: KeyObject; privateKey: KeyObject };
  isAuthority?: boolean;
  maxPathLength?: number;
  dnsNames?: readonly string[];
  /** Object identifiers. */
  usages?: readonly string[];
  /** More extensions: identifier, value, and whether it is critical. */
  more?: readonly (readonly [string, Buffer, boolean])[];
  serial?: number;
  from?: Date;
  to?: Date;
}

export function rsaKeys(modulusLength = 2048): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("rsa", { modulusLength });
}

export function ecKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** Makes a certificate. Valid from a day before to a day after `testTime` by default. */
export function certificate(options: CertificateOptions): Authority {
  const { name, keyPair = ecKeys(), serial = 1 } = options;
  const issuer = options.issuer ?? { name, key: keyPair.privateKey };
  const from = options.from ?? new Date(testTimeMs - dayMs);
  const to = options.to ?? new Date(testTimeMs + dayMs);
  const body = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    signatureAlgorithm(issuer.key),
    distinguishedName(issuer.name),
    sequence(utcTime(from), utcTime(to)),
    distinguishedName(name),
    keyPair.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions(options))),
  );
  const signature = sign("sha256", body, issuer.key);
  const raw = sequence(body, signatureAlgorithm(issuer.key), der(0x03, Buffer.of(0), signature));
  return { name, key: keyPair.privateKey, raw, pem: new X509Certificate(raw).toString() };
}

function extensions(options: CertificateOptions): Buffer[] {
  const { isAuthority = false, maxPathLength, dnsNames = [], usages = [], more = [] } = options;
  const isTrue = der(0x01, Buffer.of(0xff));
  const list: Buffer[] = [];
  if (isAuthority) {
    const length = maxPathLength === undefined ? [] : [integer(maxPathLength)];
    list.push(sequence(oid("2.5.29.19"), isTrue, octets(sequence(isTrue, ...length))));
    list.push(sequence(oid("2.5.29.15"), isTrue, octets(der(0x03, Buffer.of(1, 0x06)))));
  }
  if (dnsNames.length > 0) {
    const names = dnsNames.map((name) => der(0x82, Buffer.from(name)));
    list.push(sequence(oid("2.5.29.17"), octets(sequence(...names))));
  }
  if (usages.length > 0) list.push(sequence(oid("2.5.29.37"), octets(sequence(...usages.map(oid)))));
  for (const [id, value, isCritical] of more) {
    list.push(sequence(oid(id), ...(isCritical ? [isTrue] : []), octets(value)));
  }
  return list;
}

function distinguishedName(name: string): Buffer {
  return sequence(set(sequence(oid("2.5.4.3"), der(0x0c, Buffer.from(name)))));
}

function utcTime(date: Date): Buffer {
  const text = date
    .toISOString()
    .replace(/\.\d+|[-:T]/g, "")
    .slice(2);
  return der(0x17, Buffer.from(text));
}

export interface SignedDataOptions {
  content: Uint8Array;
  signer: Authority;
  serial?: number;
  /** The name of who issued the signer's certificate. */
  issuerName: string;
  certificates?: readonly Buffer[];
  /** With signed attributes, as CMS writers do; by default without, as Azure's PKCS #7. */
  hasAttributes?: boolean;
  digest?: "sha1" | "sha256" | "sha384";
  /** The object identifier of the signature by default. */
  signatureId?: string;
  /** Changes what was signed. */
  contentAfterSigning?: Uint8Array;
  /** With ends marked, the content in pieces. */
  isIndefinite?: boolean;
  signerCount?: number;
}

const digestIds = {
  sha1: "1.3.14.3.2.26",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
};
const dataId = "1.2.840.113549.1.7.1";

/** Makes signed data as PKCS #7. */
export function signedData(options: SignedDataOptions): Buffer {
  const { content, signer, issuerName, serial = 1, digest = "sha256", signerCount = 1 } = options;
  const { certificates = [signer.raw], isIndefinite = false, contentAfterSigning = content } = options;
  const signatureId =
    options.signatureId ?? (signer.key.asymmetricKeyType === "rsa" ? "1.2.840.113549.1.1.1" : sha256Ids.ec);
  const attributes = [
    sequence(oid("1.2.840.113549.1.9.3"), set(oid(dataId))),
    sequence(oid("1.2.840.113549.1.9.4"), set(octets(createHash(digest).update(content).digest()))),
  ];
  const hasAttributes = options.hasAttributes === true;
  const signature = sign(digest, hasAttributes ? set(...attributes) : content, signer.key);
  const signerInfo = sequence(
    integer(1),
    sequence(distinguishedName(issuerName), integer(serial)),
    sequence(oid(digestIds[digest])),
    ...(hasAttributes ? [der(0xa0, ...attributes)] : []),
    sequence(oid(signatureId)),
    octets(signature),
  );
  const wrap = isIndefinite ? indefinite : der;
  const half = contentAfterSigning.length >> 1;
  const pieces = [contentAfterSigning.subarray(0, half), contentAfterSigning.subarray(half)].map(octets);
  const inner = isIndefinite ? indefinite(0x24, ...pieces) : octets(contentAfterSigning);
  return wrap(
    0x30,
    oid("1.2.840.113549.1.7.2"),
    wrap(
      0xa0,
      wrap(
        0x30,
        integer(1),
        set(sequence(oid(digestIds[digest]))),
        wrap(0x30, oid(dataId), wrap(0xa0, inner)),
        der(0xa0, ...certificates),
        set(...Array.from({ length: signerCount }, () => signerInfo)),
      ),
    ),
  );
}

const dayMs = 86_400_000;

/** When tests of identity take place. */
export const testTimeMs = Date.UTC(2026, 5, 15, 12, 0, 0);
