import { sign } from "node:crypto";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAgentApi } from "../../../src/server/index.js";
import { httpServer } from "../../support/http-servers.js";
import { certificate, rsaKeys, testTimeMs } from "./certificates.js";
import { storeWith } from "./stores.js";

const aws = certificate({ name: "aws", keyPair: rsaKeys(1024) });

const paths = ["aws", "azure", "google"].map((cloud) => `/api/v2/workspaceagents/${cloud}-instance-identity`);

async function served() {
  const { store, token } = await storeWith({ main: "i-1" });
  const instanceIdentity = { aws: { certificates: { r: aws.pem } }, nowUs: () => testTimeMs * 1000 };
  const api = createAgentApi({ store, instanceIdentity, buildVersion: "v1" });
  const { server, url } = await httpServer();
  api.attach(server);
  onTestFinished(() => api.close());
  const post = (cloud: string, body: string) =>
    fetch(`${url}/api/v2/workspaceagents/${cloud}-instance-identity`, { method: "POST", body });
  return { url, post, token: token("main") };
}

describe("logging in over HTTP", () => {
  it("gives a machine the token of its agent, S5.41", async () => {
    const { post, token } = await served();
    const document = '{"region":"r","instanceId":"i-1"}';
    const signature = sign("sha256", Buffer.from(document), aws.key).toString("base64");
    const response = await post("aws", JSON.stringify({ document, signature }));
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(`{"session_token":"${token}"}\n`);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "x-coder-build-version": "v1",
      "x-content-type-options": "nosniff",
    });
  });

  it("refuses in JSON, S5.40", async () => {
    const { post } = await served();
    const response = await post("azure", '{"signature":"eA==","encoding":"pkcs7"}');
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      message: "Invalid Azure identity.",
      detail: "Signature verification failed.",
    });
  });

  it.each([
    ["", "The body is empty."],
    ["{", "The body is not JSON."],
    ['{"json_web_token":"secret"', "The body is not JSON."],
  ])("%j is no JSON, S5.2", async (body, detail) => {
    const { post } = await served();
    const response = await post("google", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ message: "Request body must be valid JSON.", detail });
  });

  it("a body that is too long gets 413, S5.2", async () => {
    const { post } = await served();
    const response = await post("aws", JSON.stringify({ document: "x".repeat(1_000_000) }));
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({ message: "Request body too large." });
  });

  it("other methods get 405", async () => {
    const { url } = await served();
    for (const path of paths) {
      const response = await fetch(url + path);
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    }
  });

  it("a caller that goes away in the middle of its body costs nothing", async () => {
    const { url, post } = await served();
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write(`POST ${paths[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"sig`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await post("aws", "{}")).status).toBe(400);
  });
});
