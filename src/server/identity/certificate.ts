import { X509Certificate } from "node:crypto";
import {
  type Asn1,
  Asn1Error,
  asn1Tags,
  identifierOf,
  integerOf,
  octetsOf,
  partOf,
  readAsn1,
} from "./asn1.js";

/** A certificate, and of its content what node:crypto does not tell. */
export interface Certificate {
  x509: X509Certificate;
  /** The serial number and the issuer as they are encoded: who signs says so which certificate is theirs. */
  serial: Uint8Array;
  issuer: Uint8Array;
  /** The DNS names that it is for, in lower case. */
  dnsNames: readonly string[];
  /** How many certificates of issuers may be below it; undefined for any number. */
  maxPathLength: number | undefined;
  /** True when it has limits that are not checked here: of names, or critical ones that nothing is known of. */
  hasUnknownLimits: boolean;
}

const subjectAltName = "551d11";
const basicConstraints = "551d13";
const nameConstraints = "551d1e";
/** Extensions that may be critical: key usage, names, policies and extended key usage besides. */
const known = new Set([subjectAltName, basicConstraints, "551d0f", "551d20", "551d25"]);
/** What a certificate of a TLS server has in its extended key usage. */
const serverUsage = "1.3.6.1.5.5.7.3.1";

/**
 * Reads a certificate.
 * @param input PEM or DER.
 * @throws when it is none.
 */
export function readCertificate(input: string | Uint8Array): Certificate {
  const x509 = new X509Certificate(input);
  const body = partOf(readAsn1(x509.raw), 0, asn1Tags.sequence);
  // the version comes first, where it is given
  const first = body.parts[0]?.tag === asn1Tags.context0 ? 1 : 0;
  const extensions = extensionsOf(body);
  const names = partsOf(extensions.get(subjectAltName));
  const constraints = partsOf(extensions.get(basicConstraints));
  const pathLength = constraints.find(({ tag }) => tag === asn1Tags.integer);
  return {
    x509,
    serial: partOf(body, first, asn1Tags.integer).encoded,
    issuer: partOf(body, first + 2, asn1Tags.sequence).encoded,
    dnsNames: names
      .filter(isDnsName)
      .map(({ content }) => Buffer.from(content).toString("latin1").toLowerCase()),
    maxPathLength: pathLength === undefined ? undefined : integerOf(pathLength),
    hasUnknownLimits:
      extensions.has(nameConstraints) ||
      [...extensions].some(([id, { isCritical }]) => isCritical && !known.has(id)),
  };
}

/** Whether a certificate is for a server with TLS: those have DNS names that their issuer has checked. */
export function isForServers({ x509 }: Certificate): boolean {
  // the types do not know that it is undefined where the certificate does not say
  const usages: readonly string[] | undefined = x509.keyUsage;
  return usages?.includes(serverUsage) === true;
}

/** Whether it is within its dates. */
export function isValidAt({ x509 }: Certificate, nowUs: number): boolean {
  const nowMs = nowUs / 1000;
  return Date.parse(x509.validFrom) <= nowMs && nowMs <= Date.parse(x509.validTo);
}

interface Extension {
  isCritical: boolean;
  /** Encoded. */
  value: Uint8Array;
}

function partsOf(extension: Extension | undefined): readonly Asn1[] {
  return extension === undefined ? [] : readAsn1(extension.value).parts;
}

function extensionsOf(body: Asn1): Map<string, Extension> {
  const extensions = new Map<string, Extension>();
  const tagged = body.parts.find(({ tag }) => tag === asn1Tags.context3);
  if (tagged === undefined) return extensions;
  for (const extension of partOf(tagged, 0, asn1Tags.sequence).parts) {
    const id = identifierOf(extension.parts[0]);
    if (extensions.has(id)) throw new Asn1Error("a certificate has an extension twice");
    const isCritical = extension.parts[1]?.tag === asn1Tags.boolean && extension.parts[1].content[0] !== 0;
    const last = extension.parts.at(-1);
    if (last === undefined) throw new Asn1Error("an extension of a certificate has no value");
    extensions.set(id, { isCritical, value: octetsOf(last) });
  }
  return extensions;
}

function isDnsName({ tag }: Asn1): boolean {
  return tag === 0x82;
}
