import { rootCertificates } from "node:tls";
import { z } from "zod";
import { type Certificate, isForServers, readCertificate } from "./certificate.js";
import { checkChain } from "./certificate-chain.js";
import { configuredCertificates } from "./configured-certificates.js";
import { type AzureIdentityOptions, clockSkewMs } from "./options.js";
import { ProofRefused } from "./proof-refused.js";
import { base64Bytes, jsonOf } from "./proof-text.js";
import { readSignedData } from "./signed-data.js";

const contentSchema = z.object({
  vmId: z.string().min(1),
  timeStamp: z.object({ expiresOn: z.string() }),
});

const defaultSignerName = /(?:^|\.)metadata\.azure\.(?:com|us|cn)$/;

/** Checks attested data. S5.39, S5.40. */
export class AzureVerifier {
  readonly #roots: () => readonly Certificate[];
  readonly #intermediates: readonly Certificate[];
  readonly #signerName: RegExp;

  /** @throws Error when a certificate is none. */
  constructor({ roots, intermediates = [], signerName = defaultSignerName }: AzureIdentityOptions) {
    const configured =
      roots === undefined ? undefined : configuredCertificates(roots, "instance identity: azure.roots");
    this.#roots = () => configured ?? nodeRoots();
    this.#intermediates = configuredCertificates(intermediates, "instance identity: azure.intermediates");
    this.#signerName = signerName;
  }

  /**
   * The id of the machine that attested data is of.
   * @throws ProofRefused when it is not signed by Azure, or has expired.
   */
  instanceId(signature: string, nowUs: number): string {
    try {
      return this.#checkedId(signature, nowUs);
    } catch (error) {
      if (error instanceof ProofRefused) throw error;
      // OpenSSL throws for keys that it does not know
      throw new ProofRefused("a key or a certificate of the signed data cannot be used");
    }
  }

  #checkedId(signature: string, nowUs: number): string {
    const { content, signer, certificates } = readSignedData(base64Bytes(signature));
    if (!isForServers(signer) || !signer.dnsNames.some((name) => this.#signerName.test(name))) {
      throw new ProofRefused("the signer's certificate is not one of Azure's metadata service");
    }
    const intermediates = [...this.#intermediates, ...certificates];
    checkChain(signer, { roots: this.#roots(), intermediates, nowUs });

    const parsed = contentSchema.safeParse(jsonOf(new TextDecoder().decode(content)));
    if (!parsed.success) throw new ProofRefused("the content is not JSON with vmId and timeStamp.expiresOn");
    const { vmId, timeStamp } = parsed.data;
    const expiresAtMs = readTime(timeStamp.expiresOn);
    if (expiresAtMs === undefined) throw new ProofRefused("timeStamp.expiresOn is not a time");
    if (expiresAtMs + clockSkewMs < nowUs / 1000) throw new ProofRefused("the attested data has expired");
    return vmId;
  }
}

let cachedRoots: readonly Certificate[] | undefined;

/** What Node trusts for TLS. Read when it is first needed: it takes some milliseconds. */
function nodeRoots(): readonly Certificate[] {
  cachedRoots ??= rootCertificates.flatMap((pem) => {
    try {
      return [readCertificate(pem)];
    } catch {
      return []; // one less to believe
    }
  });
  return cachedRoots;
}

const timePattern = /^(\d{2})\/(\d{2})\/(\d{2}|\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;

/** Month/day/year, time and offset, as Azure writes them. In milliseconds since 1970. */
function readTime(text: string): number | undefined {
  const match = timePattern.exec(text);
  if (match === null) return undefined;
  const [, month = "", day = "", year = "", hour = "", minute = "", second = "", sign, hours, minutes] =
    match;
  const fullYear = year.length === 2 ? `20${year}` : year;
  const offset = `${sign}${hours}:${minutes}`;
  const timeMs = Date.parse(
    `${fullYear}-${month}-${day}T${hour}:${minute}:${second}${offset.replace("-00:00", "Z")}`,
  );
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
