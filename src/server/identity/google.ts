import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { z } from "zod";
import { clockSkewMs, type GoogleIdentityOptions } from "./options.js";
import { ClaimsUnreadable, ProofRefused } from "./proof-refused.js";

const issuers = ["https://accounts.google.com", "accounts.google.com"];
const defaultKeysUrl = "https://www.googleapis.com/oauth2/v3/certs";
const defaultAudience = "coder";

const claimsSchema = z.object({
  google: z.object({ compute_engine: z.object({ instance_id: z.string().min(1) }) }),
});

/** Checks identity tokens of machines. S5.39, S5.40. */
export class GoogleVerifier {
  readonly #keys: JWTVerifyGetKey;
  readonly #audience: string[];

  /** @throws Error when there is no way to get keys. */
  constructor(options: GoogleIdentityOptions) {
    const { audience = defaultAudience } = options;
    this.#keys = keysOf(options);
    this.#audience = typeof audience === "string" ? [audience] : [...audience];
  }

  /**
   * The id of the machine that a token is of.
   * @throws ProofRefused when it is not from Google, not for the audience, or has expired.
   * @throws ClaimsUnreadable when it does not say which machine it is of.
   */
  async instanceId(token: string, nowUs: number): Promise<string> {
    const claims = await this.#claims(token, nowUs);
    const parsed = claimsSchema.safeParse(claims);
    if (parsed.success) return parsed.data.google.compute_engine.instance_id;
    throw new ClaimsUnreadable(
      "google.compute_engine.instance_id is not a text with characters; ask for tokens with format=full",
    );
  }

  async #claims(token: string, nowUs: number): Promise<unknown> {
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: ["RS256"],
        issuer: issuers,
        audience: this.#audience,
        requiredClaims: ["exp"],
        clockTolerance: clockSkewMs / 1000,
        currentDate: new Date(nowUs / 1000),
      });
      return payload;
    } catch (error) {
      throw new ProofRefused(reasonOf(error));
    }
  }
}

function keysOf({ keys, fetch, keysUrl = defaultKeysUrl }: GoogleIdentityOptions): JWTVerifyGetKey {
  if (keys !== undefined) return createLocalJWKSet(keys);
  if (fetch === undefined) {
    throw new Error("instance identity: google has neither keys nor fetch; give one of them");
  }
  return createRemoteJWKSet(new URL(keysUrl), {
    // a fetch that does not listen to its signal must not keep callers waiting
    [customFetch]: (url, { signal }) => Promise.race([fetch(url, { signal }), aborted(signal)]),
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** Why a token was refused, without the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "the token has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return ["iss", "aud", "exp", "nbf"].includes(error.claim)
      ? `the token's ${error.claim} is missing or not the right one`
      : "a claim of the token is not right";
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token is not signed with RS256";
  if (error instanceof errors.JWKSNoMatchingKey) return "the token is not signed with a key of Google";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the signature of the token is wrong";
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid)
    return "it is not a signed token";
  return "the token could not be verified: Google's keys could not be had, or do not fit it";
}
