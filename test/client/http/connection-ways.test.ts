import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { createAgent } from "../../../src/agent/index.js";
import {
  AppStatusState,
  awsIdentity,
  connectAgent,
  dialAgent,
  HttpError,
  type NodeDialOptions,
  nodeFetch,
  registerLogSource,
  tokenSourceFromEnvironment,
} from "../../../src/client/index-node.js";
import { createAgentApi } from "../../../src/server/index.js";
import { MemoryStore } from "../../../src/store/index.js";
import { controlPlane, eventually, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { connectProxy, httpServer } from "../../support/http-servers.js";
import { toolResult } from "../../support/terminal.js";
import { certificate, deafServer, noSockets, tlsServer } from "./fetch-ways.js";

const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
const status = { slug: "ai", state: AppStatusState.IDLE, message: "waiting", uri: "https://x" };

beforeEach(() => {
  for (const name of proxyVariables) {
    vi.stubEnv(name, "");
    vi.stubEnv(name.toLowerCase(), "");
  }
});

afterEach(() => vi.unstubAllEnvs());

/** A server of API 2.7 that wants a client's certificate, and a proxy before it. */
async function olderPlane() {
  const store = new MemoryStore();
  const apps = [{ slug: "ai" }];
  await store.define([{ owner: "ada", name: "dev", agents: [{ name: "main", token, apps }] }]);
  const api = createAgentApi({ store, serverVersion: { major: 2, minor: 7 }, strictVersions: true });
  onTestFinished(() => api.close());
  const requests: string[] = [];
  const { server, url } = await tlsServer((_request, response) => response.writeHead(404).end(), {
    ca: certificate("ca"),
    requestCert: true,
    rejectUnauthorized: true,
  });
  api.attach(server);
  server.prependListener("request", ({ method, url: path }) => void requests.push(`${method} ${path}`));
  const proxy = await connectProxy();
  const tls = {
    ca: certificate("ca"),
    cert: certificate("client"),
    key: certificate("client.key"),
  };
  const options: NodeDialOptions<"negotiate"> = { url, token, proxy: proxy.url, tls };
  return { options, requests, proxy, host: new URL(url).host };
}

describe("what belongs to a connection goes its way, through the proxy with the certificates", () => {
  it("app statuses over HTTP of dialAgent, at a server before API 2.8", async () => {
    const { options, requests, proxy, host } = await olderPlane();
    const connection = await dialAgent(options);
    expect(connection.version).toEqual({ major: 2, minor: 7 });
    const before = proxy.targets.length;
    await connection.agent.updateAppStatus(status);
    expect(requests).toEqual(["PATCH /api/v2/workspaceagents/me/app-status"]);
    expect(proxy.targets.slice(before)).toEqual([host]);
    const error = await failure(connection.agent.updateAppStatus({ ...status, slug: "none" }));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 400 });
    await connection.close();
    await noSockets();
  });

  it("those of connectAgent", async () => {
    const { options, requests } = await olderPlane();
    await using session = connectAgent(options);
    const { agent } = await session.connected();
    await agent.updateAppStatus(status);
    expect(requests).toEqual(["PATCH /api/v2/workspaceagents/me/app-status"]);
  });

  it("unless there is a fetch for them", async () => {
    const { options, requests } = await olderPlane();
    const seen: string[] = [];
    const fetch: NodeDialOptions["fetch"] = async (target) => {
      seen.push(String(target));
      return new Response();
    };
    const connection = await dialAgent({ ...options, fetch });
    await connection.agent.updateAppStatus(status);
    expect(seen).toEqual([`${String(options.url)}/api/v2/workspaceagents/me/app-status`]);
    expect(requests).toEqual([]);
    await connection.close();
  });

  it("the reinit stream of createAgent", async () => {
    const { options, requests } = await olderPlane();
    const agent = createAgent({
      dial: options,
      reinit: true,
      parts: { socket: false, boundaryLogs: false, context: false },
    });
    onTestFinished(async () => void (await agent.stop()));
    await eventually(
      () => requests.some((line) => line.includes("/me/reinit?")),
      "the request for reinit events",
    );
    await agent.stop();
    await noSockets();
  });

  it("requests of the caller's own, with nodeFetch", async () => {
    const { options, requests } = await olderPlane();
    const { url, proxy, tls } = options;
    const source = { id: "b3f6c6a2-6f5e-5d0a-9a58-5f0a4c0f7d11", displayName: "make" };
    await registerLogSource({ url, token, fetch: nodeFetch({ proxy, tls }), ...source });
    expect(requests).toEqual(["POST /api/v2/workspaceagents/me/log-source"]);
    await failure(registerLogSource({ url, token, ...source }));
    expect(requests).toHaveLength(1);
  });
});

describe("a dial that ends before the proxy has answered", () => {
  it("leaves nothing open", async () => {
    const error = await failure(
      dialAgent({ url: "https://plane.example", token, proxy: await deafServer(), openTimeoutMs: 50 }),
    );
    expect(error.message).toContain("not open within 50 ms");
    await noSockets();
  });

  it("with a proxy's URL that cannot be used has nothing of it in its error", async () => {
    const error = await failure(
      dialAgent({ url: "https://plane.example", token, proxy: "me:proxy-password@proxy:1" }),
    );
    expect(error.message).toContain("the proxy's URL cannot be used");
    expect(JSON.stringify(error) + String(error.stack)).not.toContain("proxy-password");
  });
});

describe("tokens by the identity of a machine", () => {
  /** Answers as the metadata service of AWS does. */
  async function metadataService() {
    const { url } = await httpServer((_request, response) => response.end("proof"));
    return { url };
  }

  /** A control plane that knows the machine. */
  async function loginServer() {
    return httpServer((_request, response) => {
      response.setHeader("Content-Type", "application/json").end(JSON.stringify({ session_token: token }));
    });
  }

  it("are got through the proxy of the environment, and the metadata service is asked without", async () => {
    const metadata = await metadataService();
    const { url } = await loginServer();
    const proxy = await connectProxy();
    vi.stubEnv("HTTP_PROXY", proxy.url);
    const source = await tokenSourceFromEnvironment({ env: {}, url, auth: "aws", metadata });
    expect(await source.get(new AbortController().signal)).toBe(token);
    expect(proxy.targets).toEqual([new URL(url).host]);
  });

  it("are got with certificates where the caller's fetch has them", async () => {
    const { options } = await olderPlane();
    const { url, proxy, tls } = options;
    const metadata = await metadataService();
    const identity = awsIdentity({ url, metadata, fetch: nodeFetch({ proxy, tls }) });
    // it is reached, and does not know the machine
    expect(await failure(identity.get(new AbortController().signal))).toBeInstanceOf(HttpError);
    expect(await failure(identity.get(new AbortController().signal))).toMatchObject({
      status: expect.any(Number),
    });
  });
});

describe("the tool", () => {
  it("goes through the proxy of the environment, with all that it asks of the control plane", async () => {
    const plane = await controlPlane();
    const proxy = await connectProxy();
    vi.stubEnv("HTTP_PROXY", proxy.url);
    const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: token, HOME: tmpdir() };
    const { host } = new URL(plane.url);
    expect(await toolResult(["logs", "--source", "make"], env, "line\n")).toMatchObject({ exitCode: 0 });
    // the log source, and the connection
    expect(proxy.targets).toEqual([host, host]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    expect(await toolResult(["logs", "--source", "make"], env, "line\n")).toMatchObject({ exitCode: 0 });
    expect(proxy.targets).toHaveLength(2);
  });
});
