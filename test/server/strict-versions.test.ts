import { create } from "@bufbuild/protobuf";
import { Code, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ApiVersionText, dialAgent, UnsupportedByServerError } from "../../src/client/index-node.js";
import {
  Agent,
  CreateSubAgentRequestSchema,
  type Manifest,
  ManifestSchema,
  ReportBoundaryLogsRequestSchema,
  WorkspaceApp_SharingLevel as SharingLevel,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import { createServiceClient } from "../../src/rpc/index.js";
import { attachRpc, type RpcEndpointOptions } from "../../src/server/index.js";
import { dropping } from "../../src/server/strict-versions.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { controlPlane, dialled, token } from "../support/control-plane.js";
import { collect, echoRoutes, failure, serve } from "../support/echo.js";
import { httpServer } from "../support/http-servers.js";

const bytes = new Uint8Array([1]);

/** Made once, as a handler may keep its answer. */
const manifest = create(ManifestSchema, {
  agentName: "main",
  parentId: bytes,
  apps: [{ slug: "a", hidden: true, sharingLevel: SharingLevel.ORGANIZATION }],
  devcontainers: [{ name: "dc", subagentId: bytes }],
  secrets: [{ envName: "A" }],
});

async function endpoint(options: Partial<RpcEndpointOptions<object>> = {}) {
  const { server, url } = await httpServer();
  const requests: unknown[] = [];
  const attached = attachRpc(server, {
    authenticate: () => ({}),
    strictVersions: true,
    routes: (router) => {
      router.service(Agent, {
        getManifest: () => manifest,
        reportBoundaryLogs(request) {
          requests.push(request);
          return {};
        },
        createSubAgent(request) {
          requests.push(request);
          return {};
        },
        updateAppStatus: () => ({}),
      });
      echoRoutes(router);
    },
    ...options,
  });
  onTestFinished(() => attached.close());
  const dial = async (version: ApiVersionText) => {
    const connection = await dialAgent({ url, token: "any", version, proxy: false });
    onTestFinished(() => connection.close());
    // all methods, whatever the version
    return { connection, agent: createServiceClient(Agent, connection.transport) };
  };
  return { url, dial, requests };
}

const parts = ({ apps: [app], parentId, devcontainers, secrets }: Manifest) => ({
  hidden: app?.hidden,
  sharing: app?.sharingLevel,
  parent: parentId !== undefined,
  subagents: devcontainers.map(({ subagentId }) => subagentId !== undefined),
  secrets: secrets.length,
});

const all = {
  hidden: true,
  sharing: SharingLevel.ORGANIZATION,
  parent: true,
  subagents: [true],
  secrets: 1,
};

describe("strictVersions", () => {
  it("gives each session the answer of its version, of one that the handler keeps", async () => {
    const { dial } = await endpoint();
    const shown = async (version: ApiVersionText) => parts(await (await dial(version)).agent.getManifest({}));
    const later = { sharing: 0, parent: false, subagents: [], secrets: 0 };
    expect(await shown("2.0")).toEqual({ ...later, hidden: false });
    expect(await shown("2.3")).toEqual({ ...later, hidden: true });
    expect(await shown("2.10")).toEqual(all);
    expect(await shown("2.5")).toEqual({ ...all, sharing: 0, subagents: [false], secrets: 0 });
    expect(await shown("2.8")).toEqual({ ...all, secrets: 0 });
    expect(await shown("2.9")).toEqual(all);
    expect(parts(manifest)).toEqual(all);
  });

  it("gives handlers and interceptors the request of the session's version", async () => {
    const seen: unknown[] = [];
    const spy: Interceptor = (next) => (request) => {
      seen.push(request.message);
      return next(request);
    };
    const { dial, requests } = await endpoint({ interceptors: [spy] });
    const logs = { sessionId: "s", confinedProcessName: "p", logs: [{ allowed: true, sequenceNumber: 3 }] };
    await (await dial("2.8")).agent.reportBoundaryLogs(logs);
    await (await dial("2.9")).agent.reportBoundaryLogs(logs);
    await (await dial("2.7")).agent.createSubAgent({ name: "sub", id: bytes });
    const expected = [
      create(ReportBoundaryLogsRequestSchema, { logs: [{ allowed: true }] }),
      create(ReportBoundaryLogsRequestSchema, logs),
      create(CreateSubAgentRequestSchema, { name: "sub" }),
    ];
    expect(requests).toEqual(expected);
    expect(seen).toEqual(expected);
  });

  it("refuses RPCs that came later with code 12, and has those of the version", async () => {
    const { dial } = await endpoint();
    const old = await dial("2.7");
    expect(await failure(old.agent.updateAppStatus({}))).toMatchObject({
      code: Code.Unimplemented,
      drpcCode: 12,
      rawMessage: "Unimplemented",
    });
    await (await dial("2.8")).agent.updateAppStatus({});
    await old.agent.getManifest({});
  });

  it("S1.18 knows a minor below zero as 2.0", async () => {
    const { url } = await endpoint();
    const connection = await dialAgent({ url, token: "any", version: "2.-1" as "2.0", proxy: false });
    onTestFinished(() => connection.close());
    expect(await connection.agent.getManifest({})).toMatchObject({ agentName: "main", secrets: [] });
  });

  it("does not touch other services", async () => {
    const { dial } = await endpoint();
    const { connection } = await dial("2.0");
    const echo = createServiceClient(EchoService, connection.transport);
    expect([...(await echo.unary({ payload: bytes })).payload]).toEqual([1]);
  });

  it("S1.19 is off by default: a session of any version has everything", async () => {
    const { dial, requests } = await endpoint({ strictVersions: false });
    const { agent } = await dial("2.0");
    await agent.updateAppStatus({});
    expect(parts(await agent.getManifest({}))).toEqual(all);
    await agent.reportBoundaryLogs({ sessionId: "s" });
    expect(requests).toMatchObject([{ sessionId: "s" }]);
  });

  it("is for streams too: requests and answers are dropped from one by one", async () => {
    const cut = <M>(message: M) => ({ ...message, payload: bytes });
    const interceptors = [dropping(undefined, cut), dropping(cut, undefined)];
    const routes: typeof echoRoutes = (router) =>
      router.service(EchoService, {
        async *bidi(requests) {
          for await (const { payload } of requests) yield { payload: new Uint8Array(payload.length + 2) };
        },
      });
    const { transport } = serve(routes, { table: { interceptors } });
    const sent = async function* () {
      yield { payload: new Uint8Array(9) };
      yield { payload: new Uint8Array(9) };
    };
    const answers = await collect(createServiceClient(EchoService, transport).bidi(sent()));
    expect(answers.map(({ payload }) => [...payload])).toEqual([[1], [1]]);
    const one = serve(routes, { table: { interceptors: [dropping(cut, undefined)] } });
    const [answer] = await collect(createServiceClient(EchoService, one.transport).bidi(sent()));
    expect(answer?.payload).toHaveLength(3);
  });
});

describe("a control plane with strictVersions", () => {
  it("is one of its version for those that dial, and has everything for calls over HTTP", async () => {
    const plane = await controlPlane(
      { devcontainers: [{ name: "dc", workspaceFolder: "/projects" }], apps: [{ slug: "ai" }] },
      { strictVersions: true, serverVersion: { major: 2, minor: 3 } },
    );
    const { agent, version } = await dialled(plane, { shims: false });
    expect(version.minor).toBe(3);
    expect((await agent.getManifest({})).devcontainers).toEqual([]);
    expect(await failure(agent.updateAppStatus({ slug: "ai" }))).toBeInstanceOf(UnsupportedByServerError);
    const transport = createConnectTransport({
      baseUrl: plane.url,
      httpVersion: "1.1",
      interceptors: [
        (next) => (request) => {
          request.header.set("Coder-Session-Token", token);
          return next(request);
        },
      ],
    });
    const overHttp = createClient(Agent, transport);
    expect((await overHttp.getManifest({})).devcontainers).toHaveLength(1);
    await overHttp.updateAppStatus({ slug: "ai" });
  });
});
