import { verify } from "node:crypto";
import { z } from "zod";
import { type Certificate, isValidAt } from "./certificate.js";
import { configuredCertificates } from "./configured-certificates.js";
import type { AwsIdentityOptions } from "./options.js";
import { ProofRefused } from "./proof-refused.js";
import { base64Bytes, jsonOf } from "./proof-text.js";

const documentSchema = z.object({ region: z.string(), instanceId: z.string().min(1) });

/** Checks instance identity documents. S5.39, S5.40. */
export class AwsVerifier {
  readonly #certificates: ReadonlyMap<string, readonly Certificate[]>;

  /** @throws Error when a certificate is none, or none with an RSA key. */
  constructor({ certificates }: AwsIdentityOptions) {
    this.#certificates = new Map(
      Object.entries(certificates).map(([region, pems]) => {
        const where = `instance identity: aws.certificates of ${region}`;
        const read = configuredCertificates(typeof pems === "string" ? [pems] : pems, where);
        if (read.some(({ x509 }) => x509.publicKey.asymmetricKeyType !== "rsa")) {
          throw new Error(`${where} has a key that is not RSA: give AWS's RSA certificate`);
        }
        return [region, read];
      }),
    );
  }

  /**
   * The id of the machine that a document is of.
   * @throws ProofRefused when it is not signed by AWS.
   */
  instanceId(document: string, signature: string, nowUs: number): string {
    const parsed = documentSchema.safeParse(jsonOf(document));
    if (!parsed.success) throw new ProofRefused("the document is not JSON with a region and an instance id");
    const { region, instanceId } = parsed.data;
    const certificates = this.#certificates.get(region);
    if (certificates === undefined)
      throw new ProofRefused("there is no certificate of the document's region");
    const valid = certificates.filter((certificate) => isValidAt(certificate, nowUs));
    if (valid.length === 0) {
      throw new ProofRefused("the certificate of the document's region is not valid at this time");
    }
    const bytes = base64Bytes(signature);
    const signed = Buffer.from(document);
    const isSigned = valid.some(({ x509 }) => verify("sha256", signed, x509.publicKey, bytes));
    if (!isSigned) throw new ProofRefused("the signature of the document is wrong");
    return instanceId;
  }
}
