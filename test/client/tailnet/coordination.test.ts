import { getEventListeners } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  Coordination,
  connectAgent,
  dialTailnet,
  PeerUpdateKind,
  type TailnetConnection,
  type TailnetNotice,
  type TailnetPeers,
} from "../../../src/client/index-node.js";
import { eventually } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { hex, type ServedClient, type TailnetServerOptions, tailnetServer, token } from "./tailnet-server.js";

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const bytes = (n: number) => Buffer.from(uuid(n).replaceAll("-", ""), "hex");
const nodeOf = (n: number, id: number) => ({
  id: bytes(n),
  kind: PeerUpdateKind.NODE,
  node: { id: BigInt(id) },
});
const of = (n: number, kind: PeerUpdateKind) => ({ id: bytes(n), kind });

/** A coordination over one connection to a server of the test. */
async function coordinated(coordination: Coordination, options: TailnetServerOptions = {}) {
  const server = await tailnetServer(options);
  const connection = await dialTailnet({ url: server.url, token });
  onTestFinished(() => connection.close());
  const abort = new AbortController();
  const over = coordination.over(connection.tailnet, abort.signal);
  over.catch(() => {});
  const client = await server.client(1);
  await eventually(() => client.open.has("coordinate"), "the call");
  return { server, connection, abort, over, client };
}

/** What a request says, in words. */
const words = ({ requests }: ServedClient) =>
  requests.map(({ updateSelf, addTunnel, removeTunnel, disconnect, readyForHandshake }) =>
    [
      updateSelf && `node ${updateSelf.node?.id}`,
      addTunnel && `add ${Number(`0x${hex(addTunnel.id).slice(-4)}`).toString(16)}`,
      removeTunnel && `remove ${Number(`0x${hex(removeTunnel.id).slice(-4)}`).toString(16)}`,
      disconnect && "goodbye",
      readyForHandshake.length > 0 &&
        `ready ${readyForHandshake.map(({ id }) => hex(id).slice(-1)).join(" ")}`,
    ]
      .filter(Boolean)
      .join(", "),
  );

/** The peers of a coordination, as a test compares them. */
async function peersOf(coordination: Coordination) {
  for await (const peers of coordination.peers()) return summary(peers);
  return undefined;
}

const summary = (peers: TailnetPeers) =>
  Object.fromEntries(
    [...peers].map(([id, { node, status, isReady }]) => [
      id.slice(-1),
      `${node.id} ${status}${isReady ? " ready" : ""}`,
    ]),
  );

async function says(coordination: Coordination, expected: Record<string, string>) {
  await eventually(
    async () => JSON.stringify(await peersOf(coordination)) === JSON.stringify(expected),
    `peers ${JSON.stringify(expected)}`,
  );
}

describe("what a coordination says", () => {
  it("is its node, then tunnels one by one, then differences only, new ones first (C9.1, C9.6)", async () => {
    const coordination = new Coordination();
    coordination.addTunnel(uuid(1));
    coordination.addTunnel(uuid(2));
    coordination.addTunnel(uuid(2).toUpperCase());
    coordination.setNode({ id: 7n });
    const { client } = await coordinated(coordination);
    await eventually(() => client.requests.length === 3, "the first three requests");
    coordination.syncTunnels([uuid(2), uuid(3), uuid(4)]);
    coordination.setNode({ id: 8n });
    await eventually(() => client.requests.length === 7, "the differences");
    expect(words(client)).toEqual(["node 7", "add 1", "add 2", "node 8", "add 3", "add 4", "remove 1"]);
    expect([...coordination.tunnels]).toEqual([uuid(2), uuid(3), uuid(4)]);
  });

  it("is all of it again on the next connection (C9.6)", async () => {
    const coordination = new Coordination();
    coordination.syncTunnels([uuid(1), uuid(2)]);
    coordination.setNode({ id: 7n });
    const first = await coordinated(coordination);
    await eventually(() => first.client.requests.length === 3, "the first connection");
    first.client.cut();
    await failure(first.over);
    coordination.removeTunnel(uuid(1));
    const second = await coordinated(coordination);
    await eventually(() => second.client.requests.length === 2, "the second connection");
    expect(words(second.client)).toEqual(["node 7", "add 2"]);
  });

  it("is on the side of an agent that it has the nodes, once for each answer (C9.5)", async () => {
    const coordination = new Coordination({ acknowledge: true });
    const { client } = await coordinated(coordination);
    client.coordinate.say({ peerUpdates: [nodeOf(1, 1), of(2, PeerUpdateKind.LOST), nodeOf(3, 3)] });
    client.coordinate.say({ peerUpdates: [of(1, PeerUpdateKind.LOST)] });
    client.coordinate.say({ peerUpdates: [nodeOf(4, 4)] });
    await eventually(() => client.requests.length === 2, "the acknowledgements");
    expect(words(client)).toEqual(["ready 1 3", "ready 4"]);
    expect(() => coordination.addTunnel(uuid(1))).toThrow("agents open no tunnels");
  });

  it("is never that it has nodes on the side of a client (C9.5)", async () => {
    const coordination = new Coordination();
    const { client } = await coordinated(coordination);
    client.coordinate.say({ peerUpdates: [nodeOf(1, 1)] });
    await says(coordination, { 1: "1 connected" });
    coordination.setNode({ id: 1n });
    await eventually(() => client.requests.length === 1, "the node");
    expect(words(client)).toEqual(["node 1"]);
  });

  it("is nothing of what is no UUID, and no node that cannot be encoded", () => {
    const coordination = new Coordination();
    expect(() => coordination.setNode({ id: "seven" as unknown as bigint })).toThrow(
      /Coordinate: cannot encode .*CoordinateRequest: updateSelf\.node\.id must be a bigint/,
    );
    expect(() => coordination.addTunnel("main")).toThrow('an agent\'s id is a UUID, and not "main"');
    expect(() => coordination.syncTunnels([uuid(1), ""])).toThrow(TypeError);
    expect(coordination.tunnels.size).toBe(0);
  });
});

describe("what a coordination hears", () => {
  it("is folded into peers (A.3)", async () => {
    const coordination = new Coordination();
    coordination.syncTunnels([uuid(1), uuid(2), uuid(3)]);
    const { client } = await coordinated(coordination);
    expect(await peersOf(coordination)).toEqual({});
    client.coordinate.say({
      peerUpdates: [
        nodeOf(1, 11),
        nodeOf(2, 21),
        of(3, PeerUpdateKind.READY_FOR_HANDSHAKE),
        of(2, PeerUpdateKind.READY_FOR_HANDSHAKE),
        of(1, 99 as PeerUpdateKind),
      ],
    });
    await says(coordination, { 1: "11 connected", 2: "21 connected ready" });
    client.coordinate.say({
      peerUpdates: [of(2, PeerUpdateKind.LOST), of(1, PeerUpdateKind.DISCONNECTED), nodeOf(3, 31)],
    });
    await says(coordination, { 2: "21 lost", 3: "31 connected ready" });
    client.coordinate.say({ peerUpdates: [nodeOf(2, 22), nodeOf(3, 32)] });
    await says(coordination, { 2: "22 connected", 3: "32 connected ready" });
    coordination.removeTunnel(uuid(2));
    client.coordinate.say({ peerUpdates: [of(2, PeerUpdateKind.LOST)] });
    await says(coordination, { 3: "32 connected ready" });
  });

  it("leaves all peers lost when the stream ends, and forgets one that nobody wants any more (C9.4)", async () => {
    const coordination = new Coordination();
    coordination.syncTunnels([uuid(1), uuid(2)]);
    const { client, over } = await coordinated(coordination);
    client.coordinate.say({
      peerUpdates: [nodeOf(1, 1), nodeOf(2, 2), of(1, PeerUpdateKind.READY_FOR_HANDSHAKE)],
    });
    await says(coordination, { 1: "1 connected ready", 2: "2 connected" });
    client.cut();
    await failure(over);
    expect(await peersOf(coordination)).toEqual({ 1: "1 lost", 2: "2 lost" });
    coordination.removeTunnel(uuid(1));
    expect(await peersOf(coordination)).toEqual({ 2: "2 lost" });
  });

  it("is kept of no more than a thousand lost clients on the side of an agent", async () => {
    const coordination = new Coordination({ acknowledge: true });
    const { client } = await coordinated(coordination);
    for (const kind of [PeerUpdateKind.NODE, PeerUpdateKind.LOST]) {
      const peerUpdates = Array.from({ length: 1200 }, (_value, i) => ({
        id: bytes(i),
        kind,
        node: { id: 1n },
      }));
      client.coordinate.say({ peerUpdates });
    }
    await eventually(
      async () => Object.keys((await idsOf(coordination)) ?? {}).length === 1000,
      "a thousand",
    );
    const ids = await idsOf(coordination);
    expect([ids?.[0], ids?.at(-1)]).toEqual([uuid(200), uuid(1199)]);
  });

  it("is told of errors, as a warning where the stream goes on (C9.3)", async () => {
    const notices: TailnetNotice[] = [];
    const coordination = new Coordination({ onNotice: (notice) => void notices.push(notice) });
    const { client, over } = await coordinated(coordination);
    client.coordinate.say({ error: 'ready for handshake error: you do not share a tunnel with "x"' });
    client.coordinate.say({ error: "coordinator closed" });
    client.coordinate.end();
    const error = await failure(over);
    expect(error.rawMessage).toBe('read: the server said "coordinator closed": EOF');
    expect(notices).toEqual([
      { level: "warning", text: 'ready for handshake error: you do not share a tunnel with "x"' },
      { level: "error", text: "coordinator closed" },
    ]);
  });

  it.each([
    ["an id of another length", { id: new Uint8Array(3), kind: 1, node: {} }, "a peer's id of 3 bytes"],
    ["a node that is not there", { id: bytes(1), kind: 1 }, "without the node"],
  ])("is an end where it makes no sense: %s (C9.3)", async (_name, update, text) => {
    const { client, over } = await coordinated(new Coordination());
    client.coordinate.say({ peerUpdates: [update] });
    const error = await failure(over);
    expect(error.rawMessage).toMatch(/^update peers: /);
    expect(error.rawMessage).toContain(text);
    await eventually(() => !client.open.has("coordinate"), "the end of the call");
  });
});

async function idsOf(coordination: Coordination) {
  for await (const peers of coordination.peers()) return [...peers.keys()];
  return undefined;
}

describe("the end of a coordination", () => {
  it("is an error that makes a session dial again, however clean it is (C4.57)", async () => {
    const { client, over } = await coordinated(new Coordination());
    client.coordinate.end();
    expect((await failure(over)).rawMessage).toBe("read: EOF");
  });

  it("is a goodbye where it is closed, and waits for the server to end the stream (C9.2)", async () => {
    const coordination = new Coordination();
    coordination.setNode({ id: 1n });
    const { client, over, abort } = await coordinated(coordination);
    await coordination.close();
    await over;
    expect(words(client)).toEqual(["node 1", "goodbye"]);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });

  it("is not waited for any longer than said (C9.12)", async () => {
    const coordination = new Coordination({ goodbyeMs: 20 });
    const { client, over } = await coordinated(coordination, { isDeafToGoodbyes: true });
    await coordination.close();
    await over;
    expect(client.saidGoodbye).toBe(true);
    await eventually(() => !client.open.has("coordinate"), "the end of the call");
  });

  it("is no goodbye where its signal ends for another reason, so that others keep trying", async () => {
    const coordination = new Coordination();
    const { client, over, abort } = await coordinated(coordination);
    abort.abort(new Error("enough"));
    expect((await failure(over)).message).toBe("enough");
    await eventually(() => !client.open.has("coordinate"), "the end of the call");
    expect(client.saidGoodbye).toBe(false);
  });

  it("does not wait for a second run", async () => {
    const coordination = new Coordination();
    const { connection, abort } = await coordinated(coordination);
    await expect(coordination.over(connection.tailnet, abort.signal)).rejects.toThrow("runs already");
  });

  it("is nothing to wait for where there was no call at all", async () => {
    const coordination = new Coordination();
    const { signal } = new AbortController();
    const broken = {
      coordinate: () => {
        throw new Error("no such call");
      },
    };
    for (const _attempt of [1, 2]) {
      await expect(coordination.over(broken, signal)).rejects.toThrow("read: no such call");
    }
    await coordination.close();
  });

  it("is for all connections when it is closed", async () => {
    const coordination = new Coordination();
    await coordination.close();
    const coordinate = vi.fn();
    await coordination.over({ coordinate }, new AbortController().signal);
    expect(coordinate).not.toHaveBeenCalled();
  });

  it("ends those who read", async () => {
    const coordination = new Coordination();
    const reading = (async () => {
      let count = 0;
      for await (const _peers of coordination.peers()) count++;
      return count;
    })();
    await coordination.close();
    expect(await reading).toBe(1);
    const late = coordination.peers(AbortSignal.abort());
    expect(await late.next()).toEqual({ done: true, value: undefined });
  });
});

describe("an agent with a coordination", () => {
  const path = "/api/v2/workspaceagents/me/rpc";

  it("says goodbye when its session closes, and not when its session dials again (C4.57)", async () => {
    const server = await tailnetServer({ path });
    const coordination = new Coordination({ acknowledge: true });
    coordination.setNode({ id: 5n });
    const session = connectAgent({
      url: server.url,
      token,
      proxy: false,
      backoff: { firstMs: 1, maxMs: 2 },
      onConnected: ({ tailnet }: Pick<TailnetConnection, "tailnet">, signal) =>
        coordination.over(tailnet, signal),
    });
    const first = await server.client(1);
    await eventually(() => first.requests.length === 1, "the node");
    session.reconnect("just so");
    const second = await server.client(2);
    await eventually(() => second.requests.length === 1, "the node again");
    expect(first.saidGoodbye).toBe(false);
    second.coordinate.end();
    const third = await server.client(3);
    await eventually(() => third.requests.length === 1, "the node once more");
    await session.close();
    expect(words(third)).toEqual(["node 5", "goodbye"]);
  });
});
