import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connectTailnet, PeerUpdateKind } from "../../../src/client/index-node.js";
import { ApiError } from "../../../src/server/index.js";
import { eventually } from "../../support/control-plane.js";
import { bytes, network, reading, uuid } from "./networks.js";
import { hex, tailnetServer } from "./tailnet-server.js";

describe("a server without workspace updates", () => {
  const old = { serverVersion: { major: 2, minor: 2 } };

  it("ends who reads workspaces later, with what to do, and nothing else (C9.14)", async () => {
    const server = await tailnetServer({ ...old, strictVersions: true });
    const net = network({ url: server.url });
    const maps = reading(net.derpMaps());
    const client = await server.client(1);
    await eventually(() => client.open.has("derpMaps"), "the maps");
    const workspaces = reading(net.workspaces(uuid(1)));
    await expect(workspaces.over).rejects.toThrow(
      /Ensure your client release version .*server is at version 2\.2/,
    );
    const next = await server.client(2);
    next.derpMaps.say({ regions: {} });
    await eventually(() => maps.seen.length === 1, "the map");
    expect(server.dials.map(({ searchParams }) => searchParams.get("version"))).toEqual([
      "2.0",
      "2.3",
      "2.0",
    ]);
  });

  it("is dialled with the version of the call where it has that", async () => {
    const server = await tailnetServer({ strictVersions: true });
    const net = network({ url: server.url });
    await net.connected();
    const workspaces = reading(net.workspaces(uuid(1)));
    (await server.client(2)).workspacesOf(bytes(1)).say({});
    await eventually(() => workspaces.seen.length === 1, "the state");
  });

  it("ends who reads where it agrees to the version all the same", async () => {
    const server = await tailnetServer({ lacks: "workspaceUpdates" });
    const net = network({ url: server.url });
    const first = [reading(net.workspaces(uuid(1))), reading(net.workspaces(uuid(1)))];
    for (const { over } of first) {
      await expect(over).rejects.toThrow(
        "recv workspace update: the server does not have WorkspaceUpdates: ",
      );
    }
    await expect(reading(net.workspaces(uuid(1))).over).rejects.toThrow("the server does not have");
    expect([net.state.kind, server.clients.length]).toEqual(["connected", 1]);
  });

  it("is dialled again where it once had them: it is being replaced", async () => {
    let dials = 0;
    const server = await tailnetServer({
      admit: () => {
        const detail = "server is at version 2.2, behind requested minor version 2.3";
        if (++dials === 2) throw new ApiError(400, "No.", { validations: [{ field: "version", detail }] });
      },
    });
    const net = network({ url: server.url });
    const workspaces = reading(net.workspaces(uuid(1)));
    const first = await server.client(1);
    await eventually(() => first.workspaces.size === 1, "the call");
    first.cut();
    (await server.client(2)).workspacesOf(bytes(1)).say({});
    await eventually(() => workspaces.seen.length === 1, "the state");
    expect(dials).toBe(3);
  });
});

describe("a reader whose signal has ended before", () => {
  it("leaves nothing behind", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url });
    for (const owner of [1, 2, 3]) {
      await reading(net.workspaces(uuid(owner), AbortSignal.abort())).over;
      await reading(net.derpMaps(AbortSignal.abort())).over;
    }
    await net.connected();
    const client = await server.client(1);
    expect(client.open.size).toBe(0);
    expect(server.dials.map(({ search }) => search)).toEqual(["?version=2.0"]);
  });
});

it("a network that is closed while its token is awaited leaves no timer behind", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const asked = vi.fn(() => new Promise<string>(() => {}));
  const net = connectTailnet({ url: "http://127.0.0.1", token: asked, proxy: false });
  while (asked.mock.calls.length === 0) await new Promise(setImmediate);
  await net.close();
  expect(vi.getTimerCount()).toBe(0);
});

describe("a listener for notices that fails", () => {
  it.each([
    [
      "at once",
      () => {
        throw new Error("not my day");
      },
    ],
    [
      "later",
      async () => {
        throw new Error("not my day");
      },
    ],
  ])("%s costs nothing", async (_when, onNotice) => {
    const server = await tailnetServer({
      refresh: () => {
        throw new Error("no key");
      },
      onTelemetry: () => {
        throw new ConnectError("no room", Code.ResourceExhausted);
      },
    });
    const told = vi.fn(onNotice);
    const net = network({ url: server.url, onNotice: told });
    const peers = reading(net.peers());
    const client = await server.client(1);
    client.coordinate.say({ error: "ready for handshake error: not so fast" });
    await net.connected();
    await eventually(() => {
      net.reportTelemetry({ application: "a" });
      return told.mock.calls.length >= 3;
    }, "the notices");
    client.coordinate.say({ peerUpdates: [{ id: bytes(1), kind: PeerUpdateKind.NODE, node: { id: 1n } }] });
    await eventually(() => peers.latest()?.size === 1, "the peer");
    expect(server.clients).toHaveLength(1);
  });
});

describe("a tunnel to an agent that is gone", () => {
  const workspaceWith = (agent: number) => ({
    upsertedWorkspaces: [{ id: bytes(9), name: "dev", status: 3 }],
    upsertedAgents: [{ id: bytes(agent), name: "main", workspaceId: bytes(9) }],
  });

  it("is given up by who hears of that, although the server ends each coordination at once", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url });
    net.addTunnel(uuid(1));
    const following = (async () => {
      for await (const workspaces of net.workspaces(uuid(7))) {
        net.syncTunnels([...workspaces.values()].flatMap(({ agents }) => [...agents.keys()]));
      }
    })();
    const first = await server.client(1);
    await eventually(() => first.told.tunnels.length === 1 && first.workspaces.size === 1, "the calls");
    first.coordinate.say({ error: "authorization: workspace agent not found or you do not have permission" });
    first.coordinate.end();
    await eventually(() => !first.open.has("coordinate"), "the end of the coordination");
    first.workspacesOf(bytes(7)).say(workspaceWith(2));
    const second = await server.client(2);
    await eventually(() => second.told.tunnels.length === 1, "the tunnel");
    expect(second.told.tunnels).toEqual([hex(bytes(2))]);
    await net.close();
    await following;
  });

  it("is no reason to keep a connection for long", async () => {
    const server = await tailnetServer();
    const net = network({ url: server.url });
    net.addTunnel(uuid(1));
    reading(net.workspaces(uuid(7)));
    const first = await server.client(1);
    await eventually(() => first.open.size === 2, "the calls");
    first.coordinate.end();
    await server.client(2);
  });
});
