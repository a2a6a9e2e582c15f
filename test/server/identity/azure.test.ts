import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AzureIdentityOptions } from "../../../src/server/identity/index.js";
import { identityHandlers } from "../../../src/server/identity/index.js";
import { MemoryStore } from "../../../src/server/index.js";
import { runs } from "../../support/scale.js";
import {
  type Authority,
  type CertificateOptions,
  certificate,
  der,
  ecKeys,
  rsaKeys,
  type SignedDataOptions,
  signedData,
  testTimeMs,
} from "./certificates.js";
import { handlersWith } from "./stores.js";

const id = "d3e0e3db-326a-4f0b-9f0c-3f3a4f2f5a11";
const serverUsage = "1.3.6.1.5.5.7.3.1";
const rsa = rsaKeys();

const root = certificate({ name: "root", isAuthority: true });
const issuing = certificate({ name: "issuing", issuer: root, isAuthority: true, maxPathLength: 0 });
const signerOptions = {
  name: "metadata.azure.com",
  issuer: issuing,
  keyPair: rsa,
  dnsNames: ["metadata.azure.com"],
  usages: [serverUsage],
} satisfies CertificateOptions;
const signer = certificate(signerOptions);

const contentWith = (fields: object) =>
  Buffer.from(
    JSON.stringify({
      nonce: "1",
      plan: { name: "", product: "", publisher: "" },
      timeStamp: { createdOn: "06/15/26 06:00:00 -0000", expiresOn: "06/15/26 18:00:00 -0000" },
      vmId: id,
      ...fields,
    }),
  );
const content = contentWith({});
const expiring = (expiresOn: unknown) => contentWith({ timeStamp: { expiresOn } });

const dataOptions: SignedDataOptions = { content, signer, issuerName: "issuing" };
const azure = { roots: [root.pem], intermediates: [issuing.pem] };
const bodyOf = (bytes: Uint8Array) => ({
  signature: Buffer.from(bytes).toString("base64"),
  encoding: "pkcs7",
});
const good = bodyOf(signedData(dataOptions));

async function answerTo(body: object, options: AzureIdentityOptions = azure) {
  const { handlers, reasons, token } = await handlersWith({ azure: options }, { main: id });
  return { answer: await handlers.azure(body), reasons, token: token("main") };
}

async function expectAccepted(data: Partial<SignedDataOptions>, options = azure): Promise<void> {
  const { answer, reasons, token } = await answerTo(bodyOf(signedData({ ...dataOptions, ...data })), options);
  expect(reasons).toEqual([]);
  expect(answer).toEqual({ status: 200, json: { session_token: token } });
}

async function expectRefused(body: object, reason: string, options?: AzureIdentityOptions): Promise<void> {
  const { answer, reasons } = await answerTo(body, options);
  expect(answer).toEqual({
    status: 401,
    json: { message: "Invalid Azure identity.", detail: "Signature verification failed." },
  });
  expect(reasons).toEqual([expect.stringContaining(`azure: ${reason}`)]);
}

describe("Azure instance identity, S5.39–S5.41", () => {
  it("attested data that Azure signed gets the token of the machine's agent", () => expectAccepted({}));

  it("the issuing certificates may come with the message", () =>
    expectAccepted({ certificates: [issuing.raw, signer.raw] }, { ...azure, intermediates: [] }));

  it("with signed attributes too", () => expectAccepted({ hasAttributes: true }));

  it("with SHA-384", () => expectAccepted({ hasAttributes: true, digest: "sha384" }));

  it("with an elliptic curve", () =>
    expectAccepted({ signer: certificate({ ...signerOptions, keyPair: ecKeys() }) }));

  it("in BER, with the content in pieces", () => expectAccepted({ isIndefinite: true, hasAttributes: true }));

  it.each(["eastus.metadata.azure.com", "METADATA.azure.us", "metadata.azure.cn"])(
    "for the name %s",
    (name) => expectAccepted({ signer: certificate({ ...signerOptions, dnsNames: ["x.example", name] }) }),
  );

  it("for a name of one's own", async () => {
    const own = certificate({ ...signerOptions, dnsNames: ["meta.stack.example"] });
    await expectAccepted({ signer: own }, { ...azure, signerName: /^meta\.stack\.example$/ } as never);
    await expectRefused(good, "the signer's certificate is not one", {
      ...azure,
      signerName: /^meta\.stack/,
    });
  });

  it("with clocks a minute apart", () => expectAccepted({ content: expiring("06/15/26 11:59:05 -0000") }));

  it("with a time of another zone, and a year of four digits", () =>
    expectAccepted({ content: expiring("06/15/2026 13:59:30 +0200") }));

  const signedBy = (options: Partial<CertificateOptions>, data: Partial<SignedDataOptions> = {}) =>
    bodyOf(signedData({ ...dataOptions, signer: certificate({ ...signerOptions, ...options }), ...data }));
  const data = (options: Partial<SignedDataOptions>) => bodyOf(signedData({ ...dataOptions, ...options }));
  const past = new Date(testTimeMs - 1000);
  const future = new Date(testTimeMs + 1000);
  const stranger = certificate({ name: "issuing", isAuthority: true });
  const evilRoot = certificate({ name: "root", isAuthority: true });
  const evilIssuing = certificate({ name: "issuing", issuer: evilRoot, isAuthority: true });

  it.each<[string, object, string]>([
    [
      "content that was changed",
      data({ contentAfterSigning: contentWith({ vmId: "f" }) }),
      "the signature is wrong",
    ],
    [
      "content that was changed under signed attributes",
      data({ contentAfterSigning: contentWith({ vmId: "f" }), hasAttributes: true }),
      "the content is not what was signed",
    ],
    ["SHA-1", data({ digest: "sha1" }), "the signature's digest is not SHA-256"],
    [
      "an unknown kind of signature",
      data({ signatureId: "1.2.840.113549.1.1.10" }),
      "the signature is neither",
    ],
    [
      "a signature of another digest",
      data({ signatureId: "1.2.840.113549.1.1.12" }),
      "the signature is neither",
    ],
    [
      "a signature of another kind of key",
      data({ signatureId: "1.2.840.10045.4.3.2" }),
      "the signature is wrong",
    ],
    [
      "the key of another",
      data({ signer: { ...signer, key: rsaKeys().privateKey } }),
      "the signature is wrong",
    ],
    ["the serial number of another", data({ serial: 2 }), "the signed data does not have the signer's"],
    ["the issuer of another", data({ issuerName: "root" }), "the signed data does not have the signer's"],
    ["no certificate", data({ certificates: [] }), "the signed data does not have the signer's"],
    [
      "too many certificates",
      data({ certificates: Array(17).fill(signer.raw) }),
      "the signed data has too many",
    ],
    [
      "a broken certificate",
      data({ certificates: [der(0x30, der(0x30))] }),
      "a certificate of the signed data",
    ],
    ["no signature", data({ signerCount: 0 }), "the signed data does not have one signature"],
    ["two signatures", data({ signerCount: 2 }), "the signed data does not have one signature"],
    [
      "attested data that has expired",
      data({ content: expiring("06/15/26 11:58:59 -0000") }),
      "the attested data has expired",
    ],
    ["no time", data({ content: contentWith({ timeStamp: {} }) }), "the content is not JSON with vmId"],
    [
      "a time that is none",
      data({ content: expiring("13/40/26 11:00:00 -0000") }),
      "timeStamp.expiresOn is not a time",
    ],
    [
      "a time of another form",
      data({ content: expiring("2026-06-15T18:00:00Z") }),
      "timeStamp.expiresOn is not a time",
    ],
    ["no machine", data({ content: contentWith({ vmId: "" }) }), "the content is not JSON with vmId"],
    ["content that is not JSON", data({ content: Buffer.from("{") }), "the content is not JSON"],
    ["no content", data({ content: Buffer.of() }), "the content is not JSON"],
    [
      "a signer of another name",
      signedBy({ dnsNames: ["example.com"] }),
      "the signer's certificate is not one",
    ],
    [
      "a name that only ends alike",
      signedBy({ dnsNames: ["evilmetadata.azure.com"] }),
      "the signer's certificate is not one",
    ],
    [
      "a name that goes on",
      signedBy({ dnsNames: ["metadata.azure.com.evil.example"] }),
      "the signer's certificate is not one",
    ],
    ["a name as the common name only", signedBy({ dnsNames: [] }), "the signer's certificate is not one"],
    [
      "a signer that is no server",
      signedBy({ usages: ["1.3.6.1.5.5.7.3.4"] }),
      "the signer's certificate is not one",
    ],
    ["a signer without usage", signedBy({ usages: [] }), "the signer's certificate is not one"],
    ["a signer whose time is over", signedBy({ to: past }), "the signer's certificate is not valid"],
    ["a signer whose time comes", signedBy({ from: future }), "the signer's certificate is not valid"],
    ["a signer with an issuer of the same name", signedBy({ issuer: stranger }), "no chain leads"],
    [
      "a signer that signs itself",
      signedBy({ issuer: undefined }, { issuerName: "metadata.azure.com" }),
      "no chain leads",
    ],
    [
      "a chain to a root of the same name, all of it in the message",
      signedBy(
        { issuer: evilIssuing },
        {
          certificates: [
            certificate({ ...signerOptions, issuer: evilIssuing }).raw,
            evilIssuing.raw,
            evilRoot.raw,
          ],
        },
      ),
      "no chain leads",
    ],
  ])("%s is refused with 401", (_what, body, reason) => expectRefused(body, reason));

  it.each<[string, Partial<CertificateOptions>]>([
    ["may not issue certificates", { isAuthority: false }],
    ["has a time that is over", { to: past }],
    ["is limited to names", { more: [["2.5.29.30", der(0x30), true]] }],
    ["is limited to names, not critically", { more: [["2.5.29.30", der(0x30), false]] }],
    ["has a limit that nothing is known of", { more: [["1.2.3.4", der(0x30), true]] }],
  ])("an issuer that %s is not believed", async (_what, options) => {
    const key = ecKeys();
    const make = (more: Partial<CertificateOptions>): Authority =>
      certificate({ name: "issuing", issuer: root, isAuthority: true, keyPair: key, ...more });
    const body = signedBy({ issuer: make({}) });
    expect((await answerTo(body, { roots: [root.pem], intermediates: [make({}).pem] })).answer.status).toBe(
      200,
    );
    await expectRefused(body, "no chain leads", { roots: [root.pem], intermediates: [make(options).pem] });
    // nor as a root
    await expectRefused(body, "no chain leads", { roots: [make(options).pem] });
  });

  it("an issuer may be as far from the signer as its certificate says, and no farther", async () => {
    const below = certificate({ name: "below", issuer: issuing, isAuthority: true });
    const body = signedBy({ issuer: below }, { issuerName: "below" });
    const wide = certificate({ name: "issuing", issuer: root, isAuthority: true, keyPair: ecKeys() });
    const belowWide = certificate({ name: "below", issuer: wide, isAuthority: true });
    await expectRefused(body, "no chain leads", { ...azure, intermediates: [issuing.pem, below.pem] });
    const wider = signedBy({ issuer: belowWide }, { issuerName: "below" });
    const { answer } = await answerTo(wider, { ...azure, intermediates: [wide.pem, belowWide.pem] });
    expect(answer.status).toBe(200);
  });

  it("authorities that have all signed each other do not keep the server busy", async () => {
    const keyPair = ecKeys();
    const all = Array.from({ length: 15 }, (_, serial) =>
      certificate({ name: "same", isAuthority: true, keyPair, serial }),
    );
    const own = certificate({ ...signerOptions, issuer: all[0] });
    const start = performance.now();
    await expectRefused(
      bodyOf(
        signedData({
          ...dataOptions,
          signer: own,
          issuerName: "same",
          certificates: [own.raw, ...all.map(({ raw }) => raw)],
        }),
      ),
      "no chain leads",
    );
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it("without roots those that Node trusts are asked, and there ours is not", async () => {
    await expectRefused(good, "no chain leads", { intermediates: [issuing.pem, root.pem] });
  });

  it("certificates that cannot be read are told when the handlers are made", () => {
    const made = (options: AzureIdentityOptions) => () =>
      identityHandlers({ store: new MemoryStore(), identity: { azure: options } });
    expect(made({ roots: [root.pem, "x"] })).toThrow(
      "instance identity: azure.roots: number 2 is not a certificate",
    );
    expect(made({ intermediates: ["x"] })).toThrow("azure.intermediates: number 1 is not a certificate");
  });

  it("without configuration every message is refused", async () => {
    const { handlers } = await handlersWith({});
    expect((await handlers.azure(good)).status).toBe(401);
  });

  const openssl =
    spawnSync("openssl", ["version"]).status === 0 ? "" : " (skipped: there is no openssl on the PATH)";
  it.skipIf(openssl !== "").each([
    ["DER", []],
    ["BER", ["-stream"]],
    ["no attributes", ["-noattr"]],
  ])(`signed data that OpenSSL made is read: %s${openssl}`, async (_what, flags) => {
    const folder = mkdtempSync(join(tmpdir(), "identity-"));
    try {
      const file = (name: string, text: string | Buffer) => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const key = file("key.pem", rsa.privateKey.export({ type: "pkcs8", format: "pem" }));
      const made = execFileSync("openssl", [
        ...["cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-md", "sha256", ...flags],
        ...["-in", file("content", content), "-signer", file("signer.pem", signer.pem), "-inkey", key],
      ]);
      const { answer, reasons } = await answerTo(bodyOf(made));
      expect(reasons).toEqual([]);
      expect(answer.status).toBe(200);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const changed = (bytes: Buffer) =>
    fc
      .array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      })
      .map((changes) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[at] = value;
        return copy;
      });

  it("bytes changed anywhere never let another machine in, and never are an exception", async () => {
    const bytes = signedData({
      ...dataOptions,
      hasAttributes: true,
      certificates: [signer.raw, issuing.raw],
    });
    const { handlers, token } = await handlersWith({ azure }, { main: id });
    await fc.assert(
      fc.asyncProperty(changed(bytes), async (copy) => {
        const { status, json } = await handlers.azure(bodyOf(copy));
        // what is not signed may change: the issuing certificate is known anyway
        if (status === 200) expect(json).toEqual({ session_token: token("main") });
        else expect(status).toBe(401);
      }),
      runs(500),
    );
  });

  it("anything else gets 400 or 401, and never an exception", async () => {
    const { handlers } = await handlersWith({ azure }, { main: id });
    const bytes = Buffer.from(good.signature, "base64");
    const cut = fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length));
    const nested = fc.nat(5000).map((depth) => Buffer.alloc(depth * 2, Buffer.of(0x30, 0x80)));
    const signature = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc
        .oneof(cut, nested, fc.uint8Array({ maxLength: 200 }))
        .map((all) => Buffer.from(all).toString("base64")),
    );
    const body = fc.oneof(fc.anything(), fc.record({ signature, encoding: fc.constant("pkcs7") }));
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        expect([400, 401]).toContain((await handlers.azure(value)).status);
      }),
      runs(500),
    );
  });
});
