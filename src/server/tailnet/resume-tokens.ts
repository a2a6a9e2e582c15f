import type { JWTPayload } from "jose";
import { normalizeUuid } from "../../codec/index.js";
import { ApiError } from "../api-error.js";
import type { KeyRing } from "./signing-keys.js";

/** What the keys of resume tokens are for. */
export const resumeTokenPurpose = "tailnet_resume";

/** How long a token is good. S4.30. */
export const resumeTokenLifetimeMs = 24 * 60 * 60 * 1000;

/** Nobody has to guess: a token that names another algorithm is no token of ours. S4.30. */
const algorithm = "HS512";

/** The claim that says whose a token is. */
const userClaim = "uid";

/** A token that is not believed. The message says why; nothing of the token is in it. */
export class ResumeTokenRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "ResumeTokenRefused";
  }
}

/** A token, and how long it is good. */
export interface IssuedResumeToken {
  /** A JWT; whoever has it can be the peer. */
  token: string;
  /** When to ask for the next one, from now. */
  refreshInMs: number;
  expiresAtUs: number;
}

/** Tokens with which a client that dials again is the peer that it was. S4.29, S4.30. */
export class ResumeTokens {
  readonly #keys: KeyRing;
  readonly #nowUs: () => number;

  /** @param nowUs microseconds since 1970. */
  constructor(keys: KeyRing, nowUs: () => number) {
    this.#keys = keys;
    this.#nowUs = nowUs;
  }

  /**
   * A token of a peer, good for one user.
   * @throws TypeError when the peer's id is no UUID; whatever the store of keys does.
   */
  async issue(peerId: string, userId: string, nowUs = this.#nowUs()): Promise<IssuedResumeToken> {
    const id = normalizeUuid(peerId);
    if (id === undefined) throw new TypeError("the peer id is not a UUID");
    const key = await this.#keys.signingKey(nowUs);
    const expiresAtSeconds = Math.floor((nowUs / 1000 + resumeTokenLifetimeMs) / 1000);
    const { SignJWT } = await import("jose");
    const token = await new SignJWT({ [userClaim]: userId })
      .setProtectedHeader({ alg: algorithm, kid: String(key.sequence) })
      .setSubject(id)
      .setExpirationTime(expiresAtSeconds)
      .sign(key.secret);
    return { token, refreshInMs: resumeTokenLifetimeMs / 2, expiresAtUs: expiresAtSeconds * 1_000_000 };
  }

  /**
   * The peer that a user's token is of; undefined for one without a key id, whose owner gets a new peer id. S4.29.
   * @throws ResumeTokenRefused when it is not believed, or is another user's: whoever is the peer has the tunnels that
   *   it had. Whatever the store of keys does.
   */
  async peerIdOf(token: string, userId: string, nowUs = this.#nowUs()): Promise<string | undefined> {
    const keyId = await keyIdOf(token);
    if (keyId === "") return undefined;
    const { sub, [userClaim]: holder } = await this.#claimsOf(token, keyId, nowUs);
    const peerId = sub === undefined ? undefined : normalizeUuid(sub);
    if (peerId === undefined) throw new ResumeTokenRefused("the token's sub is not a UUID");
    if (holder !== userId) throw new ResumeTokenRefused("the token is another user's");
    return peerId;
  }

  async #claimsOf(token: string, keyId: string, nowUs: number): Promise<JWTPayload> {
    const { errors, jwtVerify } = await import("jose");
    try {
      const { payload } = await jwtVerify(token, () => this.#secretOf(keyId, nowUs), {
        algorithms: [algorithm],
        requiredClaims: ["exp", "sub"],
        currentDate: new Date(nowUs / 1000),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new ResumeTokenRefused("the token has expired");
      if (error instanceof errors.JWTClaimValidationFailed) {
        throw new ResumeTokenRefused("a claim of the token is missing or not right");
      }
      if (error instanceof errors.JOSEAlgNotAllowed) {
        throw new ResumeTokenRefused(`the token is not signed with ${algorithm}`);
      }
      if (error instanceof errors.JWSSignatureVerificationFailed) {
        throw new ResumeTokenRefused("the signature of the token is wrong");
      }
      if (error instanceof errors.JOSEError) throw new ResumeTokenRefused("it is not a signed token");
      throw error;
    }
  }

  async #secretOf(keyId: string, nowUs: number): Promise<Uint8Array> {
    const sequence = /^[1-9]\d{0,14}$/.test(keyId) ? Number(keyId) : undefined;
    const key = sequence === undefined ? undefined : await this.#keys.keyWith(sequence, nowUs);
    if (key === undefined) throw new ResumeTokenRefused("the key of the token is not known, or has expired");
    return key.secret;
  }
}

/** The answer to a dial with a token that is refused. S4.29. */
export function resumeTokenAnswer(error: ResumeTokenRefused): ApiError {
  const message = "Invalid resume token";
  return new ApiError(401, message, {
    detail: error.message,
    validations: [{ field: "resume_token", detail: message }],
  });
}

/** Empty when the token names no key. @throws ResumeTokenRefused when it is no token. */
async function keyIdOf(token: string): Promise<string> {
  const { decodeProtectedHeader } = await import("jose");
  let keyId: unknown;
  try {
    keyId = decodeProtectedHeader(token).kid;
  } catch {
    throw new ResumeTokenRefused("it is not a signed token");
  }
  if (keyId === undefined) return "";
  if (typeof keyId !== "string") throw new ResumeTokenRefused("the key id of the token is not a text");
  return keyId;
}
