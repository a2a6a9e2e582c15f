import { getEventListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket as WsWebSocket } from "ws";
import { connectTailnet as connectFromBrowser } from "../../../src/client/index.js";
import {
  connectTailnet,
  type FollowedWorkspaces,
  PeerUpdateKind,
  type TailnetNotice,
} from "../../../src/client/index-node.js";
import { connectTailnetWith } from "../../../src/client/tailnet/network.js";
import { ApiError } from "../../../src/server/index.js";
import { eventually } from "../../support/control-plane.js";
import { refusingServer } from "../../support/http-servers.js";
import { bytes, network, reading, uuid } from "./networks.js";
import { hex, tailnetServer, token } from "./tailnet-server.js";

const named = (workspaces: FollowedWorkspaces | undefined) =>
  [...(workspaces?.values() ?? [])].map(({ name, agents }) => [
    name,
    ...[...agents.values()].map((a) => a.name),
  ]);

describe("a network", () => {
  it("dials version 2.3 where workspaces are followed, and 2.0 where they are not (C9.14)", async () => {
    const server = await tailnetServer();
    const plain = network({ url: server.url });
    await plain.connected();
    const following = network({ url: server.url });
    reading(following.workspaces(uuid(1)));
    await following.connected();
    expect(server.dials.map(({ search }) => search)).toEqual(["?version=2.0", "?version=2.3"]);
  });

  it("makes a call only for what is used, and one for all readers of the same", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url });
    const client = await server.client(1);
    await eventually(() => server.refreshes() === 1, "the token");
    expect([...client.open]).toEqual([]);
    const leave = new AbortController();
    const readers = [1, 2, 3].map(() => reading(net.workspaces(uuid(1), leave.signal)));
    const maps = reading(net.derpMaps(leave.signal));
    await eventually(() => client.open.size === 2, "the calls");
    client.workspacesOf(bytes(1)).say({ upsertedWorkspaces: [{ id: bytes(9), name: "dev", status: 3 }] });
    client.derpMaps.say({ regions: {} });
    await eventually(() => readers.every(({ seen }) => seen.length === 1), "the state for all");
    await eventually(() => maps.seen.length === 1, "the map");
    leave.abort();
    await Promise.all(readers.map(({ over }) => over));
    await eventually(() => client.open.size === 0, "the end of the calls");
    expect(net.state.kind).toBe("connected");
  });

  it("rewrites the embedded relay to where the control plane is, unless told not to (C1.58)", async () => {
    const server = await tailnetServer();
    const nets = [network({ url: server.url }), network({ url: server.url, rewriteRelays: false })];
    const maps = nets.map((net) => reading(net.derpMaps()));
    for (const number of [1, 2]) {
      const client = await server.client(number);
      client.derpMaps.say({
        regions: {
          "999": { regionId: 999n, embeddedRelay: true, nodes: [{ name: "a", hostName: "coder" }] },
        },
      });
    }
    await eventually(() => maps.every(({ seen }) => seen.length === 1), "the maps");
    const hosts = maps.map(({ latest }) => latest()?.regions["999"]?.nodes[0]);
    expect(hosts.map((node) => node?.hostName)).toEqual(["127.0.0.1", "coder"]);
    expect(hosts[0]).toMatchObject({ derpPort: Number(new URL(server.url).port), forceHttp: true });
  });

  it("keeps what was set over connections, and what was read until there is something new", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url });
    net.setNode({ id: 5n });
    net.syncTunnels([uuid(1), uuid(2)]);
    net.removeTunnel(uuid(2));
    const peers = reading(net.peers());
    const workspaces = reading(net.workspaces(uuid(7)));
    const first = await server.client(1);
    await eventually(() => first.told.tunnels.length === 1, "the tunnel");
    first.coordinate.say({ peerUpdates: [{ id: bytes(1), kind: PeerUpdateKind.NODE, node: { id: 1n } }] });
    first.workspacesOf(bytes(7)).say({
      upsertedWorkspaces: [{ id: bytes(8), name: "dev", status: 3 }],
      upsertedAgents: [{ id: bytes(1), name: "main", workspaceId: bytes(8) }],
    });
    await eventually(() => named(workspaces.latest()).length === 1, "the workspace");
    await eventually(() => peers.latest()?.get(uuid(1))?.status === "connected", "the peer");
    first.cut();
    const second = await server.client(2);
    await eventually(() => second.told.tunnels.length === 1, "the tunnel again");
    expect(second.told).toEqual({ nodeId: 5n, tunnels: [hex(bytes(1))] });
    expect(peers.latest()?.get(uuid(1))?.status).toBe("lost");
    second.workspacesOf(bytes(7)).say({ upsertedWorkspaces: [{ id: bytes(9), name: "new", status: 3 }] });
    await eventually(() => named(workspaces.latest())[0]?.[0] === "new", "the next full state");
    expect(workspaces.seen.map(named)).toEqual([[["dev", "main"]], [["new"]]]);
  });

  it.each(["coordinate", "derpMaps", "workspaces"] as const)(
    "dials again, without a goodbye, when the stream of %s ends (C9.13)",
    async (stream) => {
      const server = await tailnetServer();
      const net = network({ url: server.url });
      net.setNode({ id: 5n });
      reading(net.derpMaps());
      reading(net.workspaces(uuid(7)));
      const client = await server.client(1);
      await eventually(() => client.open.size === 3, "the streams");
      const script = stream === "workspaces" ? client.workspacesOf(bytes(7)) : client[stream];
      script.end();
      const next = await server.client(2);
      await eventually(() => next.open.size === 3, "the streams again");
      await eventually(() => client.isOver, "the end of the first connection");
      expect(client.saidGoodbye).toBe(false);
    },
  );

  it("says goodbye when it is closed, and ends those who read", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url });
    net.setNode({ id: 5n });
    const readers = [reading(net.peers()), reading(net.derpMaps()), reading(net.workspaces(uuid(1)))];
    const client = await server.client(1);
    await eventually(() => client.requests.length === 1 && client.open.size === 3, "the streams");
    expect(await net.close()).toEqual({ error: undefined });
    await Promise.all(readers.map(({ over }) => over));
    expect(client.saidGoodbye).toBe(true);
    await eventually(() => server.sessions() === 0, "the end of the connection");
    await reading(net.workspaces(uuid(2))).over;
    await reading(net.derpMaps()).over;
  });

  it("does not wait for a server that does not let it go (C9.12)", async () => {
    const server = await tailnetServer({ isDeafToGoodbyes: true });
    const net = network({ url: server.url, goodbyeMs: 20 });
    net.setNode({ id: 5n });
    const client = await server.client(1);
    await eventually(() => client.requests.length === 1, "the node");
    await net.close({ timeoutMs: 60_000 });
    expect(client.saidGoodbye).toBe(true);
  });

  it("ends at once with its signal, without a goodbye", async () => {
    const server = await tailnetServer({ isDeafToGoodbyes: true });
    const abort = new AbortController();
    const net = network({ url: server.url, signal: abort.signal });
    const peers = reading(net.peers());
    const client = await server.client(1);
    await eventually(() => client.open.has("coordinate"), "the stream");
    abort.abort(new Error("enough"));
    expect((await net.ended).error?.message).toBe("enough");
    await expect(peers.over).rejects.toThrow("enough");
    expect(client.saidGoodbye).toBe(false);
  });

  it("leaves no timer and no listener behind", async () => {
    const server = await tailnetServer();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const { signal } = new AbortController();
    const net = network({ url: server.url, signal });
    net.setNode({ id: 5n });
    const readers = [net.peers(signal), net.derpMaps(signal), net.workspaces(uuid(1), signal)].map(
      (states: AsyncIterable<unknown>) => reading(states),
    );
    await net.connected();
    const client = await server.client(1);
    while (client.open.size < 3 || server.refreshes() < 1) await new Promise(setImmediate);
    await net.close();
    await Promise.all(readers.map(({ over }) => over));
    while (server.sessions() > 0) await new Promise(setImmediate);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(client.open.size).toBe(0);
  });
});

describe("what ends a network for good", () => {
  it.each([400, 401, 403, 404, 409, 500])("is %i at the first attempt (C9.16)", async (status) => {
    const { url, upgrades } = await refusingServer(status, JSON.stringify({ message: "No." }));
    const net = network({ url });
    const peers = reading(net.peers());
    expect((await net.ended).error).toMatchObject({ status, reason: "No." });
    await expect(peers.over).rejects.toMatchObject({ status });
    expect(upgrades).toHaveLength(1);
  });

  it("is none of them at a later attempt (C9.16)", async () => {
    let dials = 0;
    const server = await tailnetServer({
      admit: () => {
        dials++;
        if (dials > 1 && dials < 5) throw new ApiError([401, 404, 500][dials - 2] ?? 500, "Not now.");
      },
    });
    const net = network({ url: server.url });
    (await server.client(1)).cut();
    await server.client(2);
    await net.connected();
    expect(dials).toBe(5);
  });

  it("is not an answer that passes", async () => {
    let dials = 0;
    const server = await tailnetServer({
      admit: () => {
        if (++dials === 1) throw new ApiError(503, "Not now.");
      },
    });
    await network({ url: server.url }).connected();
    expect(dials).toBe(2);
  });

  it("is told with advice where the server is of another version (C9.16)", async () => {
    const server = await tailnetServer({ serverVersion: { major: 1, minor: 5 } });
    const { error } = await network({ url: server.url, clientVersion: "v7.1" }).ended;
    expect(error?.message).toContain("Unknown or unsupported API version");
    expect(error?.message).toContain(
      "Ensure your client release version (v7.1, different than the API version) matches the server release version",
    );
    expect(error?.message).toContain("server is at version 1.5");
  });

  it("is a mistake of the caller's, at once", () => {
    expect(() => connectTailnet({ url: "nonsense", token })).toThrow(TypeError);
    expect(() => connectTailnet({ url: "http://127.0.0.1", token, agentId: "main" })).toThrow(TypeError);
  });
});

describe("the resume token", () => {
  const offered = (dials: readonly URL[]) =>
    dials.map(({ searchParams }) => searchParams.get("resume_token"));

  it("is asked for at once, again when it is time, and offered to later connections (C9.10)", async () => {
    const server = await tailnetServer({
      refresh: (count) => ({
        token: `t${count}`,
        refreshInMs: count === 1 ? 1 : 3_600_000,
        expiresInMs: 7_200_000,
      }),
    });
    const net = network({ url: server.url });
    await eventually(() => server.refreshes() === 2, "the second token");
    // its answer is here before that of a ping
    await (await net.connected()).ping();
    (await server.client(1)).cut();
    (await server.client(2)).cut();
    await server.client(3);
    expect(offered(server.dials).slice(0, 2)).toEqual([null, "t2"]);
    expect(offered(server.dials)[2]).toMatch(/^t[23]$/);
  });

  it("is not offered once it has expired", async () => {
    const server = await tailnetServer({
      refresh: () => ({ token: "short", refreshInMs: 3_600_000, expiresInMs: -1000 }),
    });
    network({ url: server.url });
    const client = await server.client(1);
    await eventually(() => server.refreshes() === 1, "the token");
    client.cut();
    await server.client(2);
    expect(offered(server.dials)).toEqual([null, null]);
  });

  it("is dropped where the server refuses it, which is never the end (C9.15)", async () => {
    const server = await tailnetServer({
      admit: ({ searchParams }) => {
        if (!searchParams.has("resume_token")) return;
        const text = "Invalid resume token";
        throw new ApiError(401, text, { validations: [{ field: "resume_token", detail: text }] });
      },
    });
    const net = network({ url: server.url });
    await eventually(() => server.refreshes() === 1, "the token");
    await (await net.connected()).ping();
    (await server.client(1)).cut();
    await server.client(2);
    expect(offered(server.dials)).toEqual([null, "resume-1", null]);
  });

  it("of a server that has none is not missed (C9.10)", async () => {
    const notices: TailnetNotice[] = [];
    const server = await tailnetServer({
      refresh: () => {
        throw new ConnectError("Unimplemented", Code.Unimplemented);
      },
    });
    const net = network({ url: server.url, onNotice: (notice) => void notices.push(notice) });
    await eventually(() => server.refreshes() === 1, "the question");
    await (await net.connected()).ping();
    expect([net.state.kind, notices]).toEqual(["connected", []]);
  });

  it("that cannot be had is told once, and ends no connection (C9.10)", async () => {
    const notices: TailnetNotice[] = [];
    const server = await tailnetServer({
      refresh: () => {
        throw new Error("generate resume token: no key");
      },
    });
    const net = network({ url: server.url, onNotice: (notice) => void notices.push(notice) });
    const peers = reading(net.peers());
    const client = await server.client(1);
    await eventually(() => notices.length === 1 && client.open.has("coordinate"), "the notice");
    expect(notices[0]?.level).toBe("error");
    expect(notices[0]?.text).toMatch(/^refresh resume token: /);
    expect([net.state.kind, peers.seen.length]).toEqual(["connected", 1]);
  });
});

describe("the waits of a network", () => {
  const random = () => 0.999;

  it("are from 50 ms to 10 s, with jitter, while nobody is there (C9.12)", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    let dials = 0;
    const opener = {
      open: async () => {
        dials++;
        throw new Error("nobody there");
      },
    };
    const net = connectTailnetWith(opener, { url: "http://127.0.0.1", token, backoff: { random } });
    const states = reading(net.states());
    await vi.advanceTimersByTimeAsync(60_000);
    const waits = states.seen.flatMap((state) => (state.kind === "lost" ? [state.retryInMs] : []));
    expect(waits).toEqual([50, 100, 200, 400, 799, 1598, 3197, 6394, 9990, 9990, 9990, 9990, 9990]);
    expect(dials).toBe(13);
    await net.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are spread over five seconds after a connection that many have lost at once", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url, backoff: { random } });
    const states = reading(net.states());
    await net.connected();
    (await server.client(1)).cut();
    await eventually(() => states.latest()?.kind === "lost", "the loss");
    expect(states.latest()).toMatchObject({ kind: "lost", retryInMs: 4995 });
  });
});

describe("telemetry", () => {
  it("is not told to a server that takes none, until the next connection (C9.9)", async () => {
    let calls = 0;
    const server = await tailnetServer({
      onTelemetry: () => {
        calls++;
        throw new ConnectError("Unimplemented", Code.Unimplemented);
      },
    });
    const notices: TailnetNotice[] = [];
    const net = network({ url: server.url, onNotice: (notice) => void notices.push(notice) });
    await net.connected();
    net.reportTelemetry({ application: "a" });
    await eventually(() => net.droppedTelemetry["not_taken"] === 1, "the refusal");
    await new Promise(setImmediate);
    net.reportTelemetry({ application: "b" });
    expect(net.droppedTelemetry).toEqual({ not_taken: 2 });
    (await server.client(1)).cut();
    await server.client(2);
    await eventually(() => net.state.kind === "connected", "the next connection");
    net.reportTelemetry({ application: "c" });
    await eventually(() => net.droppedTelemetry["not_taken"] === 3, "the next refusal");
    expect([calls, notices]).toEqual([2, []]);
  });

  it("is told in few calls, and not while there is no connection (C9.9)", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server = await tailnetServer({ onTelemetry: () => held });
    const net = network({ url: server.url });
    net.reportTelemetry({ application: "early" });
    await net.connected();
    const client = await server.client(1);
    net.reportTelemetry({ application: "first" });
    await eventually(() => client.telemetry.length === 1, "the first call");
    for (let i = 0; i < 1005; i++) net.reportTelemetry({ application: `${i}` });
    release();
    await eventually(() => client.telemetry.flat().length === 1001, "all that there was room for");
    expect(client.telemetry).toHaveLength(51);
    expect(net.droppedTelemetry).toEqual({ not_taken: 1, queue_full: 5 });
  });

  it("goes on after an answer that is an error, which is told (C9.9)", async () => {
    const notices: TailnetNotice[] = [];
    let calls = 0;
    const server = await tailnetServer({
      onTelemetry: () => {
        if (++calls === 1) throw new Error("not today");
      },
    });
    const net = network({ url: server.url, onNotice: (notice) => void notices.push(notice) });
    await net.connected();
    net.reportTelemetry({ application: "a" });
    await eventually(() => notices.length === 1, "the notice");
    expect(notices[0]).toMatchObject({ level: "warning" });
    net.reportTelemetry({ application: "b" });
    await eventually(() => calls === 2, "the second call");
    expect(net.droppedTelemetry).toEqual({ not_taken: 1 });
  });
});

describe("a network in a browser", () => {
  beforeEach(() => {
    if (globalThis.WebSocket === undefined) vi.stubGlobal("WebSocket", WsWebSocket);
  });

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("has the token in the query, and works", async () => {
    const server = await tailnetServer();
    const net = connectFromBrowser({ url: server.url, token });
    onTestFinished(() => net.close().then(() => {}));
    const workspaces = reading(net.workspaces(uuid(7)));
    const client = await server.client(1);
    client.workspacesOf(bytes(7)).say({ upsertedWorkspaces: [{ id: bytes(8), name: "dev", status: 3 }] });
    await eventually(() => named(workspaces.latest()).length === 1, "the workspace");
    expect(server.dials[0]?.search).toBe(`?version=2.3&coder_session_token=${token}`);
  });

  it("drops its resume token after a dial that failed, since it is not shown why", async () => {
    const server = await tailnetServer({
      admit: ({ searchParams }) => {
        if (searchParams.has("resume_token")) throw new ApiError(401, "Invalid resume token");
      },
    });
    const backoff = { firstMs: 1, maxMs: 2 };
    const net = connectFromBrowser({ url: server.url, token, tokenIn: "query", backoff });
    onTestFinished(() => net.close().then(() => {}));
    await eventually(() => server.refreshes() === 1, "the token");
    await (await net.connected()).ping();
    (await server.client(1)).cut();
    await server.client(2);
    // some runtimes ask once more by themselves after a 401
    const offered = server.dials.map(({ searchParams }) => searchParams.get("resume_token"));
    const changes = offered.filter((resumeToken, i) => i === 0 || resumeToken !== offered[i - 1]);
    expect(changes).toEqual([null, "resume-1", null]);
  });
});
