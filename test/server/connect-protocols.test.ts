import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { Code, type ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { Agent, AppStatusState, Tailnet } from "../../src/client/index-node.js";
import { agentSessionKey } from "../../src/server/index.js";
import { controlPlane, token } from "../support/control-plane.js";
import { failure } from "../support/echo.js";

const withToken =
  (value: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set("Coder-Session-Token", value);
    return next(request);
  };

type MakeTransport = (baseUrl: string, interceptors: Interceptor[]) => Transport;

function http2(baseUrl: string): Http2SessionManager {
  const manager = new Http2SessionManager(baseUrl);
  onTestFinished(() => manager.abort());
  return manager;
}

const protocols: [string, MakeTransport][] = [
  [
    "Connect over HTTP/1.1",
    (baseUrl, interceptors) => createConnectTransport({ baseUrl, interceptors, httpVersion: "1.1" }),
  ],
  [
    "Connect over HTTP/2",
    (baseUrl, interceptors) =>
      createConnectTransport({ baseUrl, interceptors, httpVersion: "2", sessionManager: http2(baseUrl) }),
  ],
  [
    "Connect with JSON",
    (baseUrl, interceptors) =>
      createConnectTransport({ baseUrl, interceptors, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  [
    "gRPC",
    (baseUrl, interceptors) => createGrpcTransport({ baseUrl, interceptors, sessionManager: http2(baseUrl) }),
  ],
  [
    "gRPC-Web",
    (baseUrl, interceptors) => createGrpcWebTransport({ baseUrl, interceptors, httpVersion: "1.1" }),
  ],
];

describe.each(protocols)("the same handlers on the same port: %s", (_name, makeTransport) => {
  async function connected(value = token) {
    const plane = await controlPlane({ apps: [{ slug: "web" }] });
    const transport = makeTransport(plane.url, value === "" ? [] : [withToken(value)]);
    return { plane, agent: createClient(Agent, transport), tailnet: createClient(Tailnet, transport) };
  }

  it("answers a call, and keeps what it is sent", async () => {
    const { agent, plane } = await connected();
    expect((await agent.getManifest({})).agentName).toBe("main");
    await agent.updateAppStatus({ slug: "web", state: AppStatusState.IDLE, message: "waiting" });
    const id = plane.agents[0]?.id ?? "";
    expect(await plane.store.appStatuses({ agentId: id }, 1)).toMatchObject([
      { state: "idle", message: "waiting" },
    ]);
  });

  it("streams", async () => {
    const { tailnet } = await connected();
    for await (const map of tailnet.streamDERPMaps({})) {
      expect(map.homeParams).toBeDefined();
      break;
    }
  });

  it("wants the token, and says what is wrong with it", async () => {
    const without = await connected("");
    expect(await failure(without.agent.getManifest({}))).toMatchObject({ code: Code.Unauthenticated });
    const wrong = await connected("no-uuid");
    const error = (await failure(wrong.agent.getManifest({}))) as ConnectError;
    expect(error.code).toBe(Code.Unauthenticated);
    expect(error.rawMessage).toContain("An agent token must be a valid UUIDv4.");
  });

  it("fails with the words of the handler", async () => {
    const { agent } = await connected();
    const error = (await failure(agent.updateAppStatus({ slug: "none" }))) as ConnectError;
    expect(error.rawMessage).toContain('No app found with slug "none"');
  });

  it("has no session: the agent does not look connected", async () => {
    const { agent, plane } = await connected();
    await agent.getManifest({});
    const record = await plane.store.agent(plane.agents[0]?.id ?? "");
    expect(record?.connection).toEqual({
      firstConnectedAtUs: undefined,
      lastConnectedAtUs: undefined,
      disconnectedAtUs: undefined,
    });
    expect(plane.api.sessionCount).toBe(0);
  });

  it("refuses a message over the limit", async () => {
    const { agent } = await connected();
    const logs = [{ output: "x".repeat(5 * 1024 * 1024) }];
    const error = await failure(agent.batchCreateLogs({ logSourceId: new Uint8Array(16), logs }));
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
  });
});

describe("handlers over HTTP", () => {
  it("know the agent, the newest version, and that there is no role", async () => {
    const sessions: unknown[] = [];
    const plane = await controlPlane(
      {},
      {
        interceptors: [
          (next) => (request) => {
            sessions.push(request.contextValues.get(agentSessionKey));
            return next(request);
          },
        ],
      },
    );
    const [, makeTransport] = protocols[0] as [string, MakeTransport];
    await createClient(Agent, makeTransport(plane.url, [withToken(token)])).getManifest({});
    expect(sessions).toMatchObject([
      { agentName: "main", ownerUsername: "ada", apiVersion: "2.10", role: undefined },
    ]);
  });

  const hasCurl = spawnSync("curl", ["--version"]).status === 0;

  it.skipIf(!hasCurl)("can be called with curl", async () => {
    const plane = await controlPlane();
    const curl = async (...args: string[]) => {
      const url = `${plane.url}/coder.agent.v2.Agent/GetManifest`;
      const json = ["-H", "Content-Type: application/json", "-d", "{}"];
      const { stdout } = await promisify(execFile)("curl", [
        "-sS",
        "-w",
        "\n%{http_code}",
        url,
        ...json,
        ...args,
      ]);
      const [body = "", status] = stdout.split("\n");
      return { status, body: JSON.parse(body) as Record<string, unknown> };
    };
    expect(await curl("-H", `Coder-Session-Token: ${token}`)).toMatchObject({
      status: "200",
      body: { agentName: "main", ownerUsername: "ada" },
    });
    expect(await curl("-H", `Authorization: Bearer ${token}`)).toMatchObject({ status: "200" });
    expect(await curl()).toMatchObject({ status: "401", body: { code: "unauthenticated" } });
  });
});
