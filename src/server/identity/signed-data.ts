import { createHash, verify } from "node:crypto";
import { type Asn1, Asn1Error, asn1Tags, identifierOf, octetsOf, partOf, readAsn1 } from "./asn1.js";
import { type Certificate, readCertificate } from "./certificate.js";
import { ProofRefused } from "./proof-refused.js";

/** What is left of a signed message whose signature holds. Whether the signer is to be believed is not checked. */
export interface SignedData {
  content: Uint8Array;
  signer: Certificate;
  /** All certificates of the message. */
  certificates: readonly Certificate[];
}

const maxCertificates = 16;

// object identifiers, in hexadecimal
const dataId = "2a864886f70d010701";
const signedDataId = "2a864886f70d010702";
const contentTypeId = "2a864886f70d010903";
const messageDigestId = "2a864886f70d010904";
const rsaId = "2a864886f70d010101";

const digests = new Map([
  ["608648016503040201", "sha256"],
  ["608648016503040202", "sha384"],
  ["608648016503040203", "sha512"],
]);

/** How a signature is made: with which kind of key, and with which digest where the name says so. */
const signatures = new Map<string, { keyType: string; digest?: string }>([
  [rsaId, { keyType: "rsa" }],
  ["2a864886f70d01010b", { keyType: "rsa", digest: "sha256" }],
  ["2a864886f70d01010c", { keyType: "rsa", digest: "sha384" }],
  ["2a864886f70d01010d", { keyType: "rsa", digest: "sha512" }],
  ["2a8648ce3d040302", { keyType: "ec", digest: "sha256" }],
  ["2a8648ce3d040303", { keyType: "ec", digest: "sha384" }],
  ["2a8648ce3d040304", { keyType: "ec", digest: "sha512" }],
]);

/**
 * Reads a PKCS #7 or CMS message with its content in it and one signature, and checks the signature. RSA (PKCS #1 1.5)
 * or ECDSA with SHA-256, -384 or -512.
 * @throws ProofRefused when it is none, or the signature is wrong.
 */
export function readSignedData(bytes: Uint8Array): SignedData {
  try {
    return checkedData(readAsn1(bytes));
  } catch (error) {
    if (error instanceof Asn1Error)
      throw new ProofRefused(`the signed data cannot be read: ${error.message}`);
    throw error;
  }
}

function checkedData(message: Asn1): SignedData {
  if (identifierOf(message.parts[0]) !== signedDataId) throw new ProofRefused("it is not signed data");
  const data = partOf(partOf(message, 1, asn1Tags.context0), 0, asn1Tags.sequence);
  const info = partOf(data, 2, asn1Tags.sequence);
  const contentType = identifierOf(info.parts[0]);
  const [inner] = partOf(info, 1, asn1Tags.context0).parts;
  if (contentType !== dataId || inner === undefined) throw new ProofRefused("the signed data has no content");
  const content = octetsOf(inner);

  const certificates = certificatesOf(data);
  const [signer, another] = partOf(data, data.parts.length - 1, asn1Tags.set).parts;
  if (signer === undefined || another !== undefined) {
    throw new ProofRefused("the signed data does not have one signature");
  }
  const certificate = certificateOf(signer, certificates);
  checkSignature(signer, content, certificate);
  return { content, signer: certificate, certificates };
}

function certificatesOf(data: Asn1): Certificate[] {
  const encoded = data.parts[3]?.tag === asn1Tags.context0 ? data.parts[3].parts : [];
  if (encoded.length > maxCertificates) throw new ProofRefused("the signed data has too many certificates");
  return encoded.map((part) => {
    try {
      return readCertificate(part.encoded);
    } catch {
      throw new ProofRefused("a certificate of the signed data cannot be read");
    }
  });
}

/** The certificate of who signed, by its issuer and its serial number. */
function certificateOf(signer: Asn1, certificates: readonly Certificate[]): Certificate {
  const id = partOf(signer, 1, asn1Tags.sequence);
  const [issuer, serial] = id.parts;
  const found = certificates.find(
    (certificate) =>
      isSame(certificate.issuer, issuer?.encoded) && isSame(certificate.serial, serial?.encoded),
  );
  if (found === undefined) throw new ProofRefused("the signed data does not have the signer's certificate");
  return found;
}

function checkSignature(signer: Asn1, content: Uint8Array, { x509 }: Certificate): void {
  const digest = digests.get(identifierOf(partOf(signer, 2, asn1Tags.sequence).parts[0]));
  if (digest === undefined)
    throw new ProofRefused("the signature's digest is not SHA-256, SHA-384 or SHA-512");
  const attributes = signer.parts[3]?.tag === asn1Tags.context0 ? signer.parts[3] : undefined;
  const next = attributes === undefined ? 3 : 4;
  const method = signatures.get(identifierOf(partOf(signer, next, asn1Tags.sequence).parts[0]));
  if (method === undefined || (method.digest ?? digest) !== digest) {
    throw new ProofRefused("the signature is neither RSA nor ECDSA with the digest that it names");
  }
  const signature = partOf(signer, next + 1, asn1Tags.octetString).content;
  const signed = attributes === undefined ? content : signedAttributes(attributes, content, digest);
  const key = x509.publicKey;
  if (key.asymmetricKeyType !== method.keyType || !verify(digest, signed, key, signature)) {
    throw new ProofRefused("the signature is wrong");
  }
}

/** What is signed instead of the content, where there are attributes: they hold the content's digest. */
function signedAttributes(attributes: Asn1, content: Uint8Array, digest: string): Uint8Array {
  if (attributes.isIndefinite) throw new ProofRefused("the signed attributes are not in DER");
  const digestOfContent = createHash(digest).update(content).digest();
  if (!isSame(digestOfContent, onlyValue(attributes, messageDigestId).content)) {
    throw new ProofRefused("the content is not what was signed");
  }
  if (identifierOf(onlyValue(attributes, contentTypeId)) !== dataId) {
    throw new ProofRefused("the content is of another kind than what was signed");
  }
  // they are signed as the set that they are, not with the tag that they have in the message
  const encoded = Uint8Array.from(attributes.encoded);
  encoded[0] = asn1Tags.set;
  return encoded;
}

function onlyValue(attributes: Asn1, id: string): Asn1 {
  const [attribute, another] = attributes.parts.filter(({ parts }) => identifierOf(parts[0]) === id);
  const values = attribute === undefined ? [] : partOf(attribute, 1, asn1Tags.set).parts;
  const [value] = values;
  if (value === undefined || values.length !== 1 || another !== undefined) {
    throw new ProofRefused("a signed attribute is missing or there twice");
  }
  return value;
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}
