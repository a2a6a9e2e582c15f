import { type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { exportJWK, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { identityHandlers } from "../../../src/server/identity/index.js";
import { MemoryStore } from "../../../src/server/index.js";
import { runs } from "../../support/scale.js";
import { rsaKeys, testTimeMs } from "./certificates.js";
import { handlersWith } from "./stores.js";

const google = rsaKeys();
const other = rsaKeys();
const id = "4520031799277581759";
const now = testTimeMs / 1000;
const goodClaims = {
  iss: "https://accounts.google.com",
  aud: "coder",
  sub: "1",
  iat: now - 10,
  exp: now + 3590,
  google: { compute_engine: { instance_id: id, instance_name: "main", zone: "z" } },
};

interface TokenOptions {
  claims?: object;
  key?: KeyObject;
  kid?: string;
  alg?: string;
}

function tokenWith({
  claims = goodClaims,
  key = google.privateKey,
  kid = "one",
  alg = "RS256",
}: TokenOptions = {}) {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg, kid, typ: "JWT" }).sign(key);
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token whose signature is made by hand: those that a library would not make. */
function forged(header: object, signature: (input: string) => string, claims: object = goodClaims): string {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signature(input)}`;
}

let keys: { keys: Awaited<ReturnType<typeof exportJWK>>[] };
beforeAll(async () => {
  keys = { keys: [{ ...(await exportJWK(google.publicKey)), kid: "one", alg: "RS256", use: "sig" }] };
});

const withKeys = (more: object = {}) => handlersWith({ google: { keys, ...more } }, { main: id });

describe("Google instance identity, S5.39–S5.41", () => {
  it("a token that Google signed gets the token of the machine's agent", async () => {
    const { handlers, token } = await withKeys();
    expect(await handlers.google({ json_web_token: await tokenWith() })).toEqual({
      status: 200,
      json: { session_token: token("main") },
    });
  });

  it("the issuer may be without scheme, the audience one of several, and clocks a minute apart", async () => {
    const { handlers } = await withKeys({ audience: ["wire", "https://wire.example"] });
    const claims = { ...goodClaims, iss: "accounts.google.com", aud: "wire", exp: now - 50 };
    expect((await handlers.google({ json_web_token: await tokenWith({ claims }) })).status).toBe(200);
  });

  const { exp: _exp, ...withoutExpiry } = goodClaims;
  const refused: readonly (readonly [string, () => string | Promise<string>, string])[] = [
    [
      "a token of another issuer",
      () => tokenWith({ claims: { ...goodClaims, iss: "https://evil.example" } }),
      "the token's iss",
    ],
    [
      "a token for another audience",
      () => tokenWith({ claims: { ...goodClaims, aud: "other" } }),
      "the token's aud",
    ],
    ["a token for nobody", () => tokenWith({ claims: { ...goodClaims, aud: undefined } }), "the token's aud"],
    ["a token that has expired", () => tokenWith({ claims: { ...goodClaims, exp: now - 61 } }), "expired"],
    [
      "a token that is not valid yet",
      () => tokenWith({ claims: { ...goodClaims, nbf: now + 100 } }),
      "the token's nbf",
    ],
    ["a token that does not expire", () => tokenWith({ claims: withoutExpiry }), "the token's exp"],
    ["another key", () => tokenWith({ key: other.privateKey }), "signature of the token is wrong"],
    ["a key that Google does not have", () => tokenWith({ kid: "two" }), "not signed with a key of Google"],
    ["RS512", () => tokenWith({ alg: "RS512" }), "not signed with RS256"],
    ["PS256", () => tokenWith({ alg: "PS256" }), "not signed with RS256"],
    ["no signature", () => forged({ alg: "none", kid: "one" }, () => ""), "not signed with RS256"],
    [
      "HS256 with the public key",
      async () => {
        const { createHmac } = await import("node:crypto");
        const secret = google.publicKey.export({ type: "spki", format: "pem" });
        return forged({ alg: "HS256", kid: "one" }, (input) =>
          createHmac("sha256", secret).update(input).digest("base64url"),
        );
      },
      "not signed with RS256",
    ],
    [
      "a key in the token itself",
      () =>
        forged({ alg: "RS256", kid: "one", jwk: other.publicKey.export({ format: "jwk" }) }, (input) =>
          sign("sha256", Buffer.from(input), other.privateKey).toString("base64url"),
        ),
      "signature of the token is wrong",
    ],
    [
      "claims that were changed",
      async () => {
        const [header, , signature] = (await tokenWith()).split(".");
        return `${header}.${part({ ...goodClaims, sub: "2" })}.${signature}`;
      },
      "signature of the token is wrong",
    ],
    [
      "a token that is cut off",
      async () => (await tokenWith()).slice(0, -20),
      "signature of the token is wrong",
    ],
    ["two parts", async () => (await tokenWith()).split(".").slice(0, 2).join("."), "not a signed token"],
    ["garbage", () => "%%%", "not a signed token"],
  ];

  it.each(refused)("%s is refused with 401", async (_what, make, reason) => {
    const { handlers, reasons } = await withKeys();
    const json_web_token = await make();
    const answer = await handlers.google({ json_web_token });
    expect(answer).toMatchObject({ status: 401, json: { message: "Invalid GCP identity." } });
    expect(answer.json).toHaveProperty("detail", expect.stringContaining(reason));
    expect(reasons).toEqual([expect.stringContaining(reason)]);
    expect(JSON.stringify([answer, reasons])).not.toContain(json_web_token);
  });

  it.each([
    ["no claims of Google", undefined],
    ["a short token", {}],
    ["an id that is a number", { compute_engine: { instance_id: 4520031799277581 } }],
    ["an empty id", { compute_engine: { instance_id: "" } }],
    ["something else", "text"],
  ])("%s cannot be read: 400", async (_what, claims) => {
    const { handlers } = await withKeys();
    const json_web_token = await tokenWith({ claims: { ...goodClaims, google: claims } });
    expect(await handlers.google({ json_web_token })).toMatchObject({
      status: 400,
      json: { message: "Error decoding JWT claims.", detail: expect.stringContaining("format=full") },
    });
  });

  it("keys are fetched by the hook only, once for many tokens", async () => {
    const urls: string[] = [];
    const fetch = async (url: string) => {
      urls.push(url);
      return Response.json(keys);
    };
    const { handlers } = await handlersWith(
      { google: { fetch, keysUrl: "http://keys.example/jwks" } },
      { main: id },
    );
    const json_web_token = await tokenWith();
    const answers = await Promise.all(Array.from({ length: 5 }, () => handlers.google({ json_web_token })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(urls).toEqual(["http://keys.example/jwks"]);
  });

  it("a hook that fails, or never answers, is a refusal", async () => {
    const failing = () => Promise.reject(new Error("no network"));
    const silent = () => new Promise<Response>(() => {});
    const json_web_token = await tokenWith();
    for (const fetch of [failing, silent]) {
      const { handlers } = await handlersWith({ google: { fetch } }, { main: id });
      expect(await handlers.google({ json_web_token })).toEqual({
        status: 401,
        json: {
          message: "Invalid GCP identity.",
          detail: "the token could not be verified: Google's keys could not be had, or do not fit it",
        },
      });
    }
  });

  it("options without keys are told when the handlers are made", () => {
    expect(() => identityHandlers({ store: new MemoryStore(), identity: { google: {} } })).toThrow(
      "google has neither keys nor fetch",
    );
  });

  it("anything else gets 400 or 401, and never an exception", async () => {
    const { handlers } = await withKeys();
    const good = await tokenWith();
    const encoded = fc.oneof(
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
      fc.base64String(),
    );
    const token = fc.oneof(
      fc.string(),
      fc.tuple(encoded, encoded, encoded).map((parts) => parts.join(".")),
      fc
        .record({ alg: fc.string(), kid: fc.constant("one"), crit: fc.anything() })
        .map((h) => forged(h, () => "x")),
      // not its last character, of which only two bits count
      fc.tuple(fc.nat(good.length - 2), fc.constantFrom(".", "A", "-", "")).map(([at, character]) => {
        const changed = good.slice(0, at) + character + good.slice(at + 1);
        return changed === good ? "" : changed;
      }),
    );
    const body = fc.oneof(fc.anything(), fc.record({ json_web_token: token }));
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        expect([400, 401]).toContain((await handlers.google(value)).status);
      }),
      runs(500),
    );
  });
});
