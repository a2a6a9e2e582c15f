import { expect, it, onTestFinished } from "vitest";
import {
  Coordination,
  connectAgent,
  connectTailnet,
  type NodeTailnetNetworkOptions,
  type TailnetPeers,
} from "../../src/client/index-node.js";
import { eventually, token } from "../support/control-plane.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { tailnetRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";
import { uuidB64 } from "./support/workspace.js";

const agentId = "11111111-2222-4333-8444-555555555555";
const agentB64 = uuidB64(agentId);
const agentNode = { id: "7", preferredDerp: 3, disco: "disco", addresses: ["fd7a:115c:a1e0::7/128"] };
const nodeNews = { id: agentB64, kind: "NODE", node: agentNode, reason: "add tunnel" };

/** A user's network on a Go server; it ends with the test. */
function networkOn(server: GoServer, options: Partial<NodeTailnetNetworkOptions> = {}) {
  const network = connectTailnet({
    url: server.url,
    token,
    proxy: false,
    backoff: { firstMs: 1, maxMs: 5, spreadMs: 5 },
    goodbyeMs: 50,
    ...options,
  });
  onTestFinished(() => network.close({ timeoutMs: 0 }).then(() => {}));
  return network;
}

/** What the Go server was told in the coordinations so far, oldest first. */
async function told(server: GoServer): Promise<unknown[][]> {
  const calls = await server.calls(tailnetRpc("Coordinate"));
  // null where nothing was said yet
  return calls.map(({ requests }) => (requests ?? []).map(({ json }) => json));
}

/** Keeps the latest that an iterable has given. */
function latestOf<T>(values: AsyncIterable<T>): { value: T | undefined; all: T[] } {
  const latest: { value: T | undefined; all: T[] } = { value: undefined, all: [] };
  void (async () => {
    for await (const value of values) {
      latest.value = value;
      latest.all.push(value);
    }
  })().catch(() => {});
  return latest;
}

const holding = (...messages: Facts[]) => ({ recvFirst: true, messages, afterwards: "hold" });

describeWithGo("a user's network on a Go server", () => {
  it("C9.1 C9.6 says its node and its tunnels, and knows what it is told of peers", async () => {
    const server = await GoServer.start();
    await server.script(tailnetRpc("Coordinate"), holding({ peerUpdates: [nodeNews] }));
    const network = networkOn(server);
    network.setNode({ id: 8n, addresses: ["fd7a:115c:a1e0::8/128"] });
    network.addTunnel(agentId);
    const peers = latestOf(network.peers());
    await eventually(() => peers.value?.get(agentId)?.node?.disco === "disco", "the agent's node");
    expect(peers.value?.get(agentId)).toMatchObject({
      status: "connected",
      node: { id: 7n, preferredDerp: 3 },
    });
    expect(server.sessions[0]).toMatchObject({ path: "/api/v2/tailnet", version: "2.0", tokenIn: "header" });
    expect(new URLSearchParams(String(server.sessions[0]?.["query"])).has("role")).toBe(false);
    const [first] = await told(server);
    expect(first?.[0]).toMatchObject({ updateSelf: { node: { id: "8" } } });
  });

  it.each<[string, Facts]>([
    ["a clean end", { afterwards: "return" }],
    ["an error", { afterwards: "error", error: { code: 0, text: "coordinator unhealthy" } }],
    ["a stream that is cut", { resetStream: true }],
  ])(
    "C9.13 C9.4 after %s it dials again and says everything again; the peer is lost meanwhile",
    async (_how, end) => {
      const server = await GoServer.start();
      const network = networkOn(server);
      network.setNode({ id: 8n });
      network.addTunnel(agentId);
      const statuses: string[] = [];
      void (async () => {
        for await (const peers of network.peers()) statuses.push(peers.get(agentId)?.status ?? "unknown");
      })();
      await server.script(tailnetRpc("Coordinate"), {
        recvFirst: true,
        messages: [{ peerUpdates: [nodeNews] }],
        ...end,
      });
      await eventually(() => statuses.includes("lost"), "the peer is lost");
      await server.script(tailnetRpc("Coordinate"), null);
      await eventually(async () => (await told(server)).at(-1)?.length === 2, "all is said again");
      expect((await told(server)).at(-1)).toMatchObject([
        { updateSelf: { node: { id: "8" } } },
        { addTunnel: { id: agentB64 } },
      ]);
      expect(server.sessions.length).toBeGreaterThan(1);
    },
  );

  it.each(["close", "tcpAbort"])(
    "C9.13 after %s of its session it is back with all it wants",
    async (how) => {
      const server = await GoServer.start();
      const network = networkOn(server);
      network.addTunnel(agentId);
      await eventually(async () => (await told(server)).length === 1, "the first coordination");
      await server.peer.do(how, { handle: Number(server.sessions[0]?.["session"]) });
      await eventually(
        async () => (await told(server)).at(-1)?.length === 1 && server.sessions.length === 2,
        "the second",
      );
      expect((await told(server)).at(-1)).toMatchObject([{ addTunnel: { id: agentB64 } }]);
    },
  );

  it("C9.2 says goodbye when it closes", async () => {
    const server = await GoServer.start();
    const network = networkOn(server);
    network.setNode({ id: 8n });
    await eventually(async () => (await told(server))[0]?.length === 1, "the node");
    expect(await network.close()).toEqual({ error: undefined });
    expect((await told(server))[0]?.at(-1)).toEqual({ disconnect: {} });
    expect(server.sessions).toHaveLength(1);
  });

  it("C9.10 C9.15 redials with its resume token, and without it when that is refused", async () => {
    const server = await GoServer.start({ resumeToken: "the-one-that-counts" });
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const reply = (resumeToken: string) => ({ reply: { token: resumeToken, refreshIn: "1800s", expiresAt } });
    await server.script(tailnetRpc("RefreshResumeToken"), reply("the-one-that-counts"));
    const network = networkOn(server);
    network.addTunnel(agentId);
    const tokenOf = (session: Facts | undefined) =>
      new URLSearchParams(String(session?.["query"])).get("resume_token");
    const refreshed = async (count: number) => {
      await server.outcome(tailnetRpc("RefreshResumeToken"));
      await eventually(async () => (await server.calls(tailnetRpc("RefreshResumeToken"))).length === count);
    };
    const redial = async (count: number) => {
      await refreshed(count);
      await new Promise((resolve) => setTimeout(resolve, 20));
      network.reconnect();
      await eventually(() => server.sessions.length === count + 1, "the next session");
    };
    await redial(1);
    expect(tokenOf(server.sessions[1])).toBe("the-one-that-counts");
    await refreshed(2);
    await server.script(tailnetRpc("RefreshResumeToken"), reply("an-old-one"));
    await server.peer.do("close", { handle: Number(server.sessions[1]?.["session"]) });
    await eventually(() => server.sessions.length === 3, "the third session");
    await redial(3);
    expect(server.refused.map(tokenOf)).toEqual(["an-old-one"]);
    expect(tokenOf(server.sessions[3])).toBeNull();
  });

  it("C9.11 C9.14 follows workspaces, at version 2.3", async () => {
    const server = await GoServer.start();
    const workspaceB64 = uuidB64("22222222-2222-4333-8444-555555555555");
    const workspace = { id: workspaceB64, name: "dev", status: "RUNNING" };
    const agent = { id: agentB64, name: "main", workspaceId: workspaceB64 };
    await server.script(tailnetRpc("WorkspaceUpdates"), {
      messages: [
        { upsertedWorkspaces: [workspace], upsertedAgents: [agent] },
        { upsertedWorkspaces: [{ ...workspace, status: "STOPPED" }], deletedAgents: [agent] },
        { deletedWorkspaces: [workspace] },
      ],
      afterwards: "hold",
    });
    const network = networkOn(server);
    const followed = latestOf(network.workspaces("33333333-2222-4333-8444-555555555555"));
    await eventually(() => followed.value?.size === 0, "the workspace is gone");
    expect(server.sessions[0]).toMatchObject({ version: "2.3" });
  });

  it("C9.8 C1.58 a relay map names the embedded relay where it dials; the end of the stream ends the connection", async () => {
    const server = await GoServer.start();
    const nodes = [{ name: "1a", hostName: "inside.example.com", derpPort: 443 }];
    const map = { regions: { "1": { regionId: "1", embeddedRelay: true, nodes } } };
    await server.script(tailnetRpc("StreamDERPMaps"), { messages: [map], afterwards: "return" });
    const maps = latestOf(networkOn(server).derpMaps());
    await eventually(() => server.sessions.length > 1, "it dials again");
    const [node] = maps.value?.regions[1]?.nodes ?? [];
    expect(node).toMatchObject({
      hostName: "127.0.0.1",
      derpPort: Number(new URL(server.url).port),
      forceHttp: true,
    });
  });

  it("C9.9 telemetry is not sent again to a server that has no such call, until the next connection", async () => {
    const server = await GoServer.start();
    await server.script(tailnetRpc("PostTelemetry"), { unimplemented: true });
    const network = networkOn(server);
    await network.connected();
    const report = () => network.reportTelemetry({ id: new Uint8Array(16), application: "ssh" });
    report();
    await server.outcome(tailnetRpc("PostTelemetry"));
    await eventually(() => {
      report();
      return Object.values(network.droppedTelemetry).some((count) => count > 0);
    }, "events are dropped");
    const before = (await server.calls(tailnetRpc("PostTelemetry"))).length;
    report();
    expect((await server.calls(tailnetRpc("PostTelemetry"))).length).toBe(before);
  });
});

describeWithGo("the coordination of an agent of ours on a Go server", () => {
  it("C9.5 C4.57 it acknowledges nodes, and dials again when its stream ends", async () => {
    const server = await GoServer.start();
    const otherB64 = uuidB64("44444444-2222-4333-8444-555555555555");
    await server.script(
      tailnetRpc("Coordinate"),
      holding(
        { peerUpdates: [nodeNews, { ...nodeNews, id: otherB64 }] },
        { error: "ready for handshake error: x" },
      ),
    );
    const notices: string[] = [];
    const coordination = new Coordination({
      acknowledge: true,
      onNotice: ({ level, text }) => notices.push(`${level}: ${text}`),
    });
    coordination.setNode({ id: 9n });
    const peers = latestOf<TailnetPeers>(coordination.peers());
    const session = connectAgent({
      url: server.url,
      token,
      proxy: false,
      backoff: { firstMs: 1, maxMs: 5 },
      onConnected: ({ tailnet }, signal) => coordination.over(tailnet, signal),
    });
    onTestFinished(() => session.close({ timeoutMs: 0 }).then(() => {}));
    await eventually(async () => (await told(server))[0]?.length === 2, "the acknowledgement");
    expect((await told(server))[0]).toMatchObject([
      { updateSelf: { node: { id: "9" } } },
      { readyForHandshake: [{ id: agentB64 }, { id: otherB64 }] },
    ]);
    expect(peers.value?.size).toBe(2);
    await eventually(() => notices.length === 1, "the complaint");
    expect(notices[0]).toMatch(/^warning: /);
    await server.script(tailnetRpc("Coordinate"), null);
    await server.peer.do("close", { handle: Number(server.sessions[0]?.["session"]) });
    await eventually(async () => (await told(server)).length === 2, "the next coordination");
    expect(server.sessions.length).toBeGreaterThan(1);
  });
});
