import { generateKeyPairSync } from "node:crypto";
import { SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import {
  ResumeTokenRefused,
  ResumeTokens,
  resumeTokenAnswer,
} from "../../../src/server/tailnet/resume-tokens.js";
import { KeyRing } from "../../../src/server/tailnet/signing-keys.js";
import { MemorySigningKeys } from "../../../src/store/index.js";

const peerId = "0b7a1e2c-3d4f-4a5b-8c6d-7e8f90a1b2c3";
const userId = "5c1d7f3a-9b2e-4d6c-8a1f-3e5b7c9d0f24";
const purpose = "tailnet_resume";
const nowUs = 1_758_000_000_900_000;
const daySeconds = 24 * 60 * 60;
const expiresAtSeconds = Math.floor(nowUs / 1_000_000) + daySeconds;

function tokensOn(store = new MemorySigningKeys()) {
  const ring = new KeyRing(store, { purpose, signatureLifetimeMs: daySeconds * 1000 });
  return new ResumeTokens(ring, () => nowUs);
}

/** Tokens, a key that signs them, and a token of one's own. */
async function forger() {
  const store = new MemorySigningKeys();
  const tokens = tokensOn(store);
  const { token } = await tokens.issue(peerId, userId);
  const [key] = await store.signingKeys(purpose);
  if (key === undefined) throw new Error("there is no key");
  const { secret } = key;
  const forged = ({
    alg = "HS512",
    kid = "1" as unknown,
    exp = expiresAtSeconds,
    sub = peerId,
    uid = userId as string | null,
  } = {}) =>
    new SignJWT({ sub, exp, ...(uid !== null && { uid }) }).setProtectedHeader({
      alg,
      ...(kid === null ? {} : { kid: kid as string }),
    });
  return { tokens, token, secret, forged };
}

function decoded(token: string): unknown[] {
  return token
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
}

describe("resume tokens", () => {
  it("S4.30 are JWTs of HS512 with a key id and the peer, good for a day, to be refreshed after half of it", async () => {
    const { token, refreshInMs, expiresAtUs } = await tokensOn().issue(peerId, userId);
    expect(decoded(token)).toEqual([
      { alg: "HS512", kid: "1" },
      { sub: peerId, exp: expiresAtSeconds, uid: userId },
    ]);
    expect(refreshInMs).toBe(12 * 60 * 60 * 1000);
    expect(expiresAtUs).toBe(expiresAtSeconds * 1_000_000);
  });

  it("are good for their own user only, who may have tunnels open", async () => {
    const { tokens, token, secret, forged } = await forger();
    const another = /^the token is another user's$/;
    await expect(tokens.peerIdOf(token, peerId)).rejects.toThrow(another);
    await expect(tokens.peerIdOf(await forged({ uid: null }).sign(secret), userId)).rejects.toThrow(another);
  });

  it("S4.29 are believed by every server that shares the keys, until they expire", async () => {
    const store = new MemorySigningKeys();
    const { token, expiresAtUs } = await tokensOn(store).issue(peerId.toUpperCase(), userId);
    const other = tokensOn(store);
    expect(await other.peerIdOf(token, userId)).toBe(peerId);
    expect(await other.peerIdOf(token, userId, expiresAtUs - 1)).toBe(peerId);
    await expect(other.peerIdOf(token, userId, expiresAtUs)).rejects.toThrow(/^the token has expired$/);
    await expect(tokensOn().peerIdOf(token, userId)).rejects.toThrow(
      /^the key of the token is not known, or has expired$/,
    );
  });

  it("S4.29 without a key id are nobody's: a new peer, and no error", async () => {
    const { tokens, secret, forged } = await forger();
    expect(await tokens.peerIdOf(await forged({ kid: null }).sign(secret), userId)).toBeUndefined();
    expect(await tokens.peerIdOf(await forged({ kid: "" }).sign(secret), userId)).toBeUndefined();
  });

  it("are not believed when anything of them was changed", async () => {
    const { tokens, token, secret, forged } = await forger();
    expect(await tokens.peerIdOf(await forged().sign(secret), userId)).toBe(peerId);
    const [header, payload, signature] = token.split(".");
    const claims = Buffer.from(JSON.stringify({ sub: crypto.randomUUID(), exp: expiresAtSeconds }));
    const wrong = /^the signature of the token is wrong$/;
    await expect(
      tokens.peerIdOf(`${header}.${claims.toString("base64url")}.${signature}`, userId),
    ).rejects.toThrow(wrong);
    await expect(tokens.peerIdOf(`${header}.${payload}.`, userId)).rejects.toThrow(wrong);
    await expect(tokens.peerIdOf(`${header}.${payload}.${"A".repeat(86)}`, userId)).rejects.toThrow(wrong);
    await expect(tokens.peerIdOf(await forged().sign(new Uint8Array(64)), userId)).rejects.toThrow(wrong);
  });

  it("are not believed with another algorithm, even with the right key", async () => {
    const { tokens, secret, forged } = await forger();
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const unsigned = new UnsecuredJWT({ sub: peerId, exp: expiresAtSeconds }).encode();
    const none = Buffer.from(JSON.stringify({ alg: "none", kid: "1" })).toString("base64url");
    const notOurs = /^the token is not signed with HS512$/;
    for (const token of [
      `${none}.${unsigned.split(".")[1]}.`,
      await forged({ alg: "HS256" }).sign(secret),
      await forged({ alg: "HS384" }).sign(secret),
      await forged({ alg: "RS256" }).sign(privateKey),
    ]) {
      await expect(tokens.peerIdOf(token, userId)).rejects.toThrow(notOurs);
    }
    // without a key id it is nobody's, whatever its algorithm
    expect(await tokens.peerIdOf(unsigned, userId)).toBeUndefined();
  });

  it("are not believed with a key that is not there", async () => {
    const { tokens, secret, forged } = await forger();
    for (const kid of ["2", "0", "01", "1 ", "-1", "1e0", "x".repeat(1000), "9".repeat(30)]) {
      await expect(tokens.peerIdOf(await forged({ kid }).sign(secret), userId)).rejects.toThrow(
        /^the key of the token is not known, or has expired$/,
      );
    }
    const numbered = Buffer.from(JSON.stringify({ alg: "HS512", kid: 1 })).toString("base64url");
    await expect(tokens.peerIdOf(`${numbered}.e30.AA`, userId)).rejects.toThrow(ResumeTokenRefused);
  });

  it("are not believed when they say nothing, or nonsense", async () => {
    const { tokens, secret, forged } = await forger();
    const notPeer = forged({ sub: "root" }).sign(secret);
    await expect(tokens.peerIdOf(await notPeer, userId)).rejects.toThrow(/^the token's sub is not a UUID$/);
    for (const claims of [{ sub: peerId }, { exp: expiresAtSeconds }, { sub: peerId, exp: "soon" }]) {
      const token = new SignJWT(claims as never).setProtectedHeader({ alg: "HS512", kid: "1" });
      await expect(tokens.peerIdOf(await token.sign(secret), userId)).rejects.toThrow(ResumeTokenRefused);
    }
  });

  it.each(["", ".", "..", "a.b.c", "x".repeat(20_000), "e30", "W10.W10.W10", "bnVsbA.e30.", "é.é.é"])(
    "what is no token is refused, and costs nothing else: %.20s",
    async (text) => {
      const tokens = tokensOn();
      const peer = await tokens.peerIdOf(text, userId).catch((error: unknown) => error);
      // `e30` is a header without a key id
      if (text !== "e30") expect(peer).toBeInstanceOf(ResumeTokenRefused);
      expect(await tokens.peerIdOf((await tokens.issue(peerId, userId)).token, userId)).toBe(peerId);
    },
  );

  it("are for peers that have a UUID", async () => {
    await expect(tokensOn().issue("ada", userId)).rejects.toThrow(TypeError);
  });

  it("pass errors of the store on as they are", async () => {
    const store = new MemorySigningKeys();
    const { token } = await tokensOn(store).issue(peerId, userId);
    const broken = tokensOn(
      Object.assign(new MemorySigningKeys(), {
        signingKeys: () => Promise.reject(new Error("the database is away")),
      }),
    );
    await expect(broken.peerIdOf(token, userId)).rejects.toThrow(/^the database is away$/);
    await expect(broken.issue(peerId, userId)).rejects.toThrow(/^the database is away$/);
  });

  it("S4.29 are answered with 401 when they are refused, and why", () => {
    const answer = resumeTokenAnswer(new ResumeTokenRefused("the token has expired"));
    expect(answer.status).toBe(401);
    expect(answer.toJSON()).toEqual({
      message: "Invalid resume token",
      detail: "the token has expired",
      validations: [{ field: "resume_token", detail: "Invalid resume token" }],
    });
  });
});
