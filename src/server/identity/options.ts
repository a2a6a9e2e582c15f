import type { JSONWebKeySet } from "jose";

/** A cloud whose machines can log in by what it says of them. */
export type Cloud = "aws" | "azure" | "google";

/**
 * Which clouds may say who a machine is, and what their proofs are checked against. A cloud that is not given is
 * refused. Nothing is fetched, except Google's keys with a `fetch` of yours.
 *
 * A proof is a bearer token of its machine: any program on it can get one, and with it the agent's token. Those of AWS
 * do not expire; those of Azure and Google do after some hours.
 */
export interface InstanceIdentityOptions {
  aws?: AwsIdentityOptions;
  azure?: AzureIdentityOptions;
  google?: GoogleIdentityOptions;
  /** Told why a proof was refused; nothing of the proof is in it. Callers of Azure are not told. */
  onRefused?: (refusal: { cloud: Cloud; reason: string }) => void;
  /** Microseconds since 1970; the clock of this machine by default. */
  nowUs?: () => number;
}

/** Whose signatures under instance identity documents are believed. */
export interface AwsIdentityOptions {
  /**
   * AWS's RSA certificates as PEM, by region: those which AWS publishes for the `signature` of instance identity
   * documents, not those for `pkcs7` or `rsa2048`. There are no defaults: AWS has one for each region.
   */
  certificates: Readonly<Record<string, string | readonly string[]>>;
}

/** Whose signatures under attested data are believed. */
export interface AzureIdentityOptions {
  /** Certificates as PEM that chains must end at. Those that Node trusts for TLS by default, DigiCert's among them. */
  roots?: readonly string[];
  /**
   * Certificates as PEM between the signer's and a root. Azure sends that of the signer alone: give the issuing
   * certificates for TLS that Microsoft publishes. None by default.
   */
  intermediates?: readonly string[];
  /**
   * What a DNS name of the signer's certificate must match, in lower case; without the flags `g` and `y`. By default
   * `metadata.azure.com`, `.us` or `.cn`, or a name under them.
   */
  signerName?: RegExp;
}

/** Whose identity tokens are believed, and for whom they must be made. */
export interface GoogleIdentityOptions {
  /** Google's keys as JWKS. It changes them every few days; with `fetch` they are kept up to date. */
  keys?: JSONWebKeySet;
  /** Gets the keys from `keysUrl` when `keys` are not given: the `fetch` of the runtime, or one with a proxy. */
  fetch?: (url: string, init: { signal: AbortSignal }) => Promise<Response>;
  /** `https://www.googleapis.com/oauth2/v3/certs` by default. */
  keysUrl?: string;
  /** Whom the token must be made for; one of them, if several. `coder` by default: what agents ask for. */
  audience?: string | readonly string[];
}

/** Clocks may differ by so much. */
export const clockSkewMs = 60_000;
