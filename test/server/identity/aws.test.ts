import { type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identityHandlers } from "../../../src/server/identity/index.js";
import { MemoryStore } from "../../../src/server/index.js";
import { runs } from "../../support/scale.js";
import { certificate, ecKeys, rsaKeys, testTimeMs } from "./certificates.js";
import { handlersWith } from "./stores.js";

const region = "eu-central-1";
// AWS's keys for these signatures have 1024 bits
const keyPair = rsaKeys(1024);
const aws = certificate({ name: "aws", keyPair });
const other = certificate({ name: "other", keyPair: rsaKeys(1024) });
const identity = { aws: { certificates: { [region]: aws.pem, "us-west-2": [other.pem, aws.pem] } } };

const id = "i-0123456789abcdef0";
const documentWith = (fields: object) =>
  JSON.stringify({ accountId: "1", region, instanceId: id, version: "2017-09-30", ...fields }, undefined, 2);
const signed = (document: string, key: KeyObject = aws.key, digest = "sha256") => ({
  document,
  signature: sign(digest, Buffer.from(document), key).toString("base64"),
});

describe("AWS instance identity, S5.39–S5.41", () => {
  it("a document that AWS signed gets the token of the machine's agent", async () => {
    const { handlers, token } = await handlersWith(identity);
    expect(await handlers.aws(signed(documentWith({})))).toEqual({
      status: 200,
      json: { session_token: token("main") },
    });
  });

  it("the signature may come in lines, as the metadata service sends it", async () => {
    const { handlers } = await handlersWith(identity);
    const { document, signature } = signed(documentWith({}));
    const lines = `${signature.replace(/.{64}/g, "$&\n")}\n`;
    expect(lines).not.toBe(signature);
    expect((await handlers.aws({ document, signature: lines })).status).toBe(200);
  });

  it("a region may have several certificates", async () => {
    const { handlers } = await handlersWith(identity);
    const document = documentWith({ region: "us-west-2" });
    expect((await handlers.aws(signed(document, other.key))).status).toBe(200);
    expect((await handlers.aws(signed(document, aws.key))).status).toBe(200);
  });

  const good = signed(documentWith({}));
  it.each([
    [
      "a document that was changed",
      { ...good, document: good.document.replace(id, "i-f") },
      "signature of the document is wrong",
    ],
    [
      "a document with a blank more",
      { ...good, document: `${good.document} ` },
      "signature of the document is wrong",
    ],
    ["another key", signed(good.document, other.key), "signature of the document is wrong"],
    ["another digest", signed(good.document, aws.key, "sha1"), "signature of the document is wrong"],
    [
      "a key of another kind",
      signed(good.document, ecKeys().privateKey),
      "signature of the document is wrong",
    ],
    [
      "a signature that is cut off",
      { ...good, signature: good.signature.slice(0, 40) },
      "signature of the document is wrong",
    ],
    ["a signature that is not base64", { ...good, signature: "%%%" }, "not base64"],
    ["a signature of blanks", { ...good, signature: " \n" }, "not base64"],
    [
      "the certificate of another region",
      signed(documentWith({ region: "us-west-2" }), rsaKeys(1024).privateKey),
      "wrong",
    ],
    [
      "a region without certificate",
      signed(documentWith({ region: "mars-1" })),
      "no certificate of the document's region",
    ],
    ["a region with a name of JavaScript", signed(documentWith({ region: "__proto__" })), "no certificate"],
    [
      "a document without region",
      signed('{"instanceId":"i-1"}'),
      "not JSON with a region and an instance id",
    ],
    ["a document without instance", signed(documentWith({ instanceId: "" })), "not JSON with a region"],
    ["an instance that is not a text", signed(documentWith({ instanceId: 1 })), "not JSON with a region"],
    ["a document that is not JSON", signed("{"), "not JSON"],
  ])("%s is refused with 401", async (_what, body, reason) => {
    const { handlers, reasons } = await handlersWith(identity);
    const answer = await handlers.aws(body);
    expect(answer).toMatchObject({ status: 401, json: { message: "Invalid AWS identity." } });
    expect(answer.json).toHaveProperty("detail", expect.stringContaining(reason));
    expect(reasons).toEqual([expect.stringContaining(reason)]);
    expect(JSON.stringify([answer, reasons])).not.toContain(body.signature.trim() || "nothing");
  });

  it("a certificate that is not valid at this time is not believed", async () => {
    const { pem } = certificate({ name: "aws", keyPair, to: new Date(testTimeMs - 1000) });
    const { handlers } = await handlersWith({ aws: { certificates: { [region]: pem } } });
    expect(await handlers.aws(good)).toEqual({
      status: 401,
      json: {
        message: "Invalid AWS identity.",
        detail: "the certificate of the document's region is not valid at this time",
      },
    });
  });

  it("without configuration every document is refused", async () => {
    const { handlers } = await handlersWith({});
    expect(await handlers.aws(good)).toEqual({
      status: 401,
      json: {
        message: "Invalid AWS identity.",
        detail: "this server has no configuration for machines of that cloud",
      },
    });
  });

  it("certificates that cannot be used are told when the handlers are made", () => {
    const store = new MemoryStore();
    const made = (pem: string) => () =>
      identityHandlers({ store, identity: { aws: { certificates: { [region]: pem } } } });
    expect(made("-----BEGIN")).toThrow(
      "instance identity: aws.certificates of eu-central-1: number 1 is not a certificate; give each as a text in PEM",
    );
    expect(made(certificate({ name: "ec" }).pem)).toThrow("has a key that is not RSA");
  });

  it("anything else gets 400 or 401, and never an exception", async () => {
    const { handlers } = await handlersWith(identity);
    const text = fc.oneof(fc.string(), fc.json(), fc.base64String());
    const body = fc.oneof(
      fc.anything(),
      fc.record({ document: text, signature: fc.oneof(text, fc.constant(good.signature)) }),
      fc.record({ document: fc.constant(good.document), signature: text }),
    );
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        expect([400, 401]).toContain((await handlers.aws(value)).status);
      }),
      runs(500),
    );
  });

  it("a document with any one byte changed is refused", async () => {
    const { handlers } = await handlersWith(identity);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.document.length - 1),
        fc.integer({ min: 1, max: 127 }),
        async (at, change) => {
          const code = good.document.charCodeAt(at) ^ change;
          const document =
            good.document.slice(0, at) + String.fromCharCode(code) + good.document.slice(at + 1);
          expect((await handlers.aws({ ...good, document })).status).toBe(401);
        },
      ),
      runs(200),
    );
  });
});
