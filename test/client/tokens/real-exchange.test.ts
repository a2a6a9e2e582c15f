import { sign } from "node:crypto";
import { exportJWK, SignJWT } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  awsIdentity,
  azureIdentity,
  type CloudIdentityOptions,
  dialAgent,
  googleIdentity,
  HttpError,
  registerLogSource,
  type TokenProvider,
} from "../../../src/client/index-node.js";
import { createAgentApi, type InstanceIdentityOptions } from "../../../src/server/index.js";
import { certificate, rsaKeys, signedData, testTimeMs } from "../../server/identity/certificates.js";
import { storeWith } from "../../server/identity/stores.js";
import { failure } from "../../support/echo.js";
import { httpServer } from "../../support/http-servers.js";

const id = "i-0123456789abcdef0";
const google = rsaKeys();
const aws = certificate({ name: "aws", keyPair: rsaKeys(1024) });
const root = certificate({ name: "root", isAuthority: true });
const azure = certificate({
  name: "metadata.azure.com",
  issuer: root,
  keyPair: rsaKeys(),
  dnsNames: ["metadata.azure.com"],
  usages: ["1.3.6.1.5.5.7.3.1"],
});

const document = JSON.stringify({ region: "r", instanceId: id }, undefined, 2);
const attested = JSON.stringify({ vmId: id, timeStamp: { expiresOn: "06/15/26 18:00:00 -0000" } });

async function jwt(): Promise<string> {
  const now = testTimeMs / 1000;
  const claims = {
    ...{ iss: "https://accounts.google.com", aud: "coder", sub: "1", iat: now - 10, exp: now + 3590 },
    google: { compute_engine: { instance_id: id } },
  };
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "one" }).sign(google.privateKey);
}

/** What a metadata service says: signed as clouds do it, in the lines in which they do it. */
const metadata: Record<string, () => string | Promise<string>> = {
  "PUT /latest/api/token": () => "a-metadata-token",
  "GET /latest/dynamic/instance-identity/document": () => document,
  "GET /latest/dynamic/instance-identity/signature": () =>
    sign("sha256", Buffer.from(document), aws.key).toString("base64").replace(/.{64}/g, "$&\n"),
  "GET /metadata/attested/document?api-version=2020-09-01": () =>
    JSON.stringify({
      encoding: "pkcs7",
      signature: signedData({ content: Buffer.from(attested), signer: azure, issuerName: "root" }).toString(
        "base64",
      ),
    }),
  "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=coder&format=full": jwt,
};

async function machineAndServer(instances: Record<string, string>) {
  const { url: metadataUrl } = await httpServer(async (request, response) => {
    const answer = await metadata[`${request.method} ${request.url}`]?.();
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  const { store, token } = await storeWith(instances);
  const instanceIdentity: InstanceIdentityOptions = {
    aws: { certificates: { r: aws.pem } },
    azure: { roots: [root.pem] },
    google: { keys: { keys: [{ ...(await exportJWK(google.publicKey)), kid: "one", alg: "RS256" }] } },
    nowUs: () => testTimeMs * 1000,
  };
  const api = createAgentApi({ store, instanceIdentity });
  const { server, url } = await httpServer();
  api.attach(server);
  onTestFinished(() => api.close());
  return { options: { url, metadata: { url: metadataUrl } }, store, token };
}

describe.each<[string, (options: CloudIdentityOptions) => TokenProvider]>([
  ["AWS", awsIdentity],
  ["Azure", azureIdentity],
  ["Google Cloud", googleIdentity],
])("a machine of %s logs in at a control plane", (_name, identity) => {
  it("dials with the token of its agent, and makes requests beside the connection", async () => {
    const { options, store } = await machineAndServer({ main: id });
    const source = identity(options);
    await using connection = await dialAgent({ url: options.url, token: source });
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
    await registerLogSource({
      url: options.url,
      token: source,
      id: crypto.randomUUID(),
      displayName: "Build",
    });
    const [agent] = await store.agentsByInstanceId(id);
    expect(await store.logSources(agent?.id ?? "")).toMatchObject([{ displayName: "Build" }]);
  });

  it("is told the names of its agents, and which one it is with a name (C1.38)", async () => {
    const { options, token } = await machineAndServer({ web: id, api: id });
    const error = await failure(dialAgent({ url: options.url, token: identity(options) }));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({
      status: 409,
      reason: `Multiple agents found with instance ID "${id}". Set CODER_AGENT_NAME to one of: api, web`,
    });
    const named = identity({ ...options, agentName: " api " });
    expect(await named.get(new AbortController().signal)).toBe(token("api"));
    await using connection = await dialAgent({ url: options.url, token: named });
    expect((await connection.agent.getManifest({})).agentName).toBe("api");
  });

  it("that is nobody's agent is told so", async () => {
    const { options } = await machineAndServer({ main: "i-other" });
    expect(await failure(dialAgent({ url: options.url, token: identity(options) }))).toMatchObject({
      status: 404,
      reason: `Instance with id "${id}" not found.`,
    });
  });
});
