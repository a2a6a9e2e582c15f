import { type Certificate, isValidAt } from "./certificate.js";
import { ProofRefused } from "./proof-refused.js";

/** More certificates are not looked at. Chains have three or four. */
const maxIssuers = 5;
const maxChecks = 100;

/**
 * Checks that a chain leads from a certificate to a root: each signed by the next, in its dates, and the next one
 * allowed to sign. Certificates with limits of names are not taken as issuers: such limits are not checked here.
 * @throws ProofRefused when there is no such chain.
 */
export function checkChain(
  leaf: Certificate,
  {
    roots,
    intermediates,
    nowUs,
  }: { roots: readonly Certificate[]; intermediates: readonly Certificate[]; nowUs: number },
): void {
  let checks = 0;
  if (!isValidAt(leaf, nowUs)) throw new ProofRefused("the signer's certificate is not valid at this time");

  const reachesRoot = (certificate: Certificate, issuersBelow: number): boolean => {
    const signs = (issuer: Certificate) => {
      if (!mayIssue(issuer, issuersBelow, nowUs) || !certificate.x509.checkIssued(issuer.x509)) return false;
      // bounds what hostile chains cost
      return checks++ < maxChecks && certificate.x509.verify(issuer.x509.publicKey);
    };
    if (roots.some(signs)) return true;
    if (issuersBelow >= maxIssuers) return false;
    return intermediates.some((issuer) => signs(issuer) && reachesRoot(issuer, issuersBelow + 1));
  };

  if (!reachesRoot(leaf, 0)) {
    throw new ProofRefused("no chain leads from the signer's certificate to a root that is trusted");
  }
}

function mayIssue(issuer: Certificate, issuersBelow: number, nowUs: number): boolean {
  const { x509, maxPathLength, hasUnknownLimits } = issuer;
  if (!x509.ca || hasUnknownLimits) return false;
  return (maxPathLength === undefined || issuersBelow <= maxPathLength) && isValidAt(issuer, nowUs);
}
