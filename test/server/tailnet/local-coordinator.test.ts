import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import type { CoordinatorLimits } from "../../../src/server/tailnet/coordinator.js";
import { LocalCoordinator } from "../../../src/server/tailnet/local-coordinator.js";
import { timeoutMs } from "../../support/scale.js";
import { coordinatorCompliance } from "./coordinator-compliance.js";
import { coordinatorModel } from "./coordinator-model.js";
import { TestPeer } from "./test-peer.js";

coordinatorCompliance("a coordinator in process", async (limits) => {
  const coordinator = new LocalCoordinator(limits);
  return { replicas: [coordinator], close: () => coordinator.close() };
});

/** All that goes on in one process goes on in microtasks. */
const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

function local(limits?: CoordinatorLimits): LocalCoordinator {
  const coordinator = new LocalCoordinator(limits);
  onTestFinished(() => coordinator.close());
  return coordinator;
}

it(
  "random peers know what they may know, no more, nothing twice; in the end nothing is left",
  async () => {
    const make = async (limits?: CoordinatorLimits) => {
      const coordinator = new LocalCoordinator(limits);
      const close = async () => {
        const left = coordinator.knownCount;
        await coordinator.close();
        expect(left).toBe(0);
      };
      return { replicas: [coordinator], close };
    };
    await coordinatorModel(make, { settle });
  },
  timeoutMs(60_000),
);

describe("bounds", () => {
  it("nothing is left when everybody has gone, nor of tunnels to those that never came", async () => {
    const coordinator = local();
    const agents = Array.from({ length: 20 }, () => new TestPeer(coordinator));
    const clients = Array.from({ length: 20 }, () => new TestPeer(coordinator));
    for (const [i, client] of clients.entries()) {
      void client.update(BigInt(i));
      for (const agent of agents) void client.addTunnel(agent);
      for (let n = 0; n < 20; n++) void client.addTunnel({ id: randomUUID() });
    }
    await settle();
    expect([coordinator.peerCount, coordinator.knownCount]).toEqual([40, 440]);
    for (const client of clients) await client.removeTunnel(agents[0] ?? client);
    for (const agent of agents) agent.coordination.end();
    await settle();
    expect([coordinator.peerCount, coordinator.knownCount]).toEqual([20, 439]);
    for (const client of clients) await client.disconnect();
    await settle();
    expect([coordinator.peerCount, coordinator.knownCount]).toEqual([0, 0]);
  });

  it("S4.22 a thousand and more partners come in messages of 1,024 updates at most", async () => {
    const coordinator = local();
    const id = randomUUID();
    const clients = Array.from({ length: 2100 }, () => new TestPeer(coordinator, { isReading: false }));
    for (const [i, client] of clients.entries()) {
      void client.update(BigInt(i));
      void client.addTunnel({ id });
    }
    await settle();
    const agent = new TestPeer(coordinator, { id });
    await agent.heard(2100);
    expect(agent.responses.map(({ peerUpdates }) => peerUpdates.length)).toEqual([1024, 1024, 52]);
  });

  it("no answer is larger than the limit, but for a node that is", async () => {
    const coordinator = local({ maxResponseBytes: 10_000 });
    const id = randomUUID();
    const sizes = [3000, 3000, 3000, 20_000, 3000];
    const clients = sizes.map(() => new TestPeer(coordinator, { isReading: false }));
    for (const [i, client] of clients.entries()) {
      void client.update(BigInt(i), { disco: "d".repeat(sizes[i] ?? 0) });
      void client.addTunnel({ id });
    }
    await settle();
    const agent = new TestPeer(coordinator, { id });
    await agent.heard(5);
    expect(agent.responses.map(({ peerUpdates }) => peerUpdates.length)).toEqual([3, 1, 1]);
  });

  it("S4.21 bytes that wait are bounded too, and dropped when the peer is cut off", async () => {
    const coordinator = local({ maxQueuedBytes: 100_000 });
    const [agent, slow] = [new TestPeer(coordinator), new TestPeer(coordinator, { isReading: false })];
    void slow.update(1n);
    await slow.addTunnel(agent);
    await agent.heard(1);
    let sent = 0;
    while (coordinator.peerCount === 2) {
      await agent.update(BigInt(++sent), { disco: "d".repeat(10_000) });
      await agent.handled();
    }
    // the first is beyond the bounds
    expect(sent).toBe(11);
    expect(agent.news.at(-1)).toMatchObject({ kind: "DISCONNECTED", reason: "failed update" });
    slow.read();
    await slow.ended();
    expect([slow.news, slow.errors]).toEqual([[], ["failed to update tunnel peer mapping"]]);
  });

  it("S4.21 a chain of slow peers, each cut off by the end of the one before, is no depth", async () => {
    // one update in each answer, and one answer beside the first
    const coordinator = local({ maxQueuedResponses: 1, maxResponseBytes: 1 });
    const count = 20_000;
    const peers = Array.from({ length: count }, () => new TestPeer(coordinator, { isReading: false }));
    for (const [i, one] of peers.entries()) {
      void one.update(BigInt(i));
      const next = peers[i + 1];
      // each is told of the one before and of the one after, and has no room for more
      if (next !== undefined) void next.addTunnel(one);
    }
    await settle();
    expect(coordinator.peerCount).toBe(count);
    peers[0]?.coordination.end();
    await settle();
    // the last knew of one only, and has room for its end; its tunnel to that one stays
    expect([coordinator.peerCount, coordinator.knownCount]).toEqual([1, 2]);
  });

  it("S4.22 the nodes of all partners have room when a peer comes, whatever they are", async () => {
    const coordinator = local({ maxQueuedBytes: 10_000, maxResponseBytes: 4000, maxQueuedResponses: 2 });
    const id = randomUUID();
    const clients = Array.from({ length: 20 }, () => new TestPeer(coordinator));
    for (const [i, client] of clients.entries()) {
      void client.update(BigInt(i), { disco: "d".repeat(1000) });
      void client.addTunnel({ id });
    }
    await settle();
    const agent = new TestPeer(coordinator, { id, isReading: false });
    await clients[0]?.update(99n);
    await settle();
    agent.read();
    await agent.heard(21);
    expect([agent.isOver, agent.known.size]).toEqual([false, 20]);
  });

  it("news that wait go together, in order, within the bounds of an answer", async () => {
    const coordinator = local({ maxQueuedResponses: 3, maxResponseBytes: 1000 });
    const [agent, client] = [new TestPeer(coordinator), new TestPeer(coordinator, { isReading: false })];
    await client.addTunnel(agent);
    for (let i = 1n; i <= 8n; i++) await agent.update(i);
    await agent.ready(client);
    await settle();
    client.read();
    await client.heard(9);
    expect(client.responses.map(({ peerUpdates }) => peerUpdates.length)).toEqual([1, 7, 1]);
    expect(client.news.map(({ node }) => node)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, undefined]);
  });

  it("more tunnels than a peer can be told of at once are opened as it reads", async () => {
    const coordinator = local({ maxQueuedBytes: 20_000, maxResponseBytes: 4000 });
    const agents = Array.from({ length: 100 }, () => new TestPeer(coordinator));
    for (const [i, agent] of agents.entries()) void agent.update(BigInt(i), { disco: "d".repeat(1000) });
    const client = new TestPeer(coordinator, { isReading: false });
    for (const agent of agents) void client.addTunnel(agent);
    await settle();
    client.read();
    await client.heard(100);
    expect([client.isOver, client.known.size]).toEqual([false, 100]);
  });

  it("complaints about more ids than answers may wait do not cut off a peer that reads", async () => {
    const coordinator = local({ maxQueuedResponses: 8 });
    const agent = new TestPeer(coordinator);
    void agent.ready(...Array.from({ length: 1024 }, () => ({ id: randomUUID() })));
    await agent.until(() => agent.errors.length === 1024, "all complaints");
    expect(agent.isOver).toBe(false);
  });

  it("a peer that reads nothing and complains of itself waits, until it goes", async () => {
    const coordinator = local({ maxQueuedResponses: 8 });
    const agent = new TestPeer(coordinator, { isReading: false });
    void agent.ready(...Array.from({ length: 1024 }, () => ({ id: randomUUID() })));
    await settle();
    expect(coordinator.peerCount).toBe(1);
    await agent.coordination.responses.return?.();
    await settle();
    expect(coordinator.knownCount).toBe(0);
  });

  it("a peer whose permission never comes is gone when its reader is", async () => {
    const coordinator = local();
    const client = new TestPeer(coordinator, { isReading: false, authorize: () => new Promise(() => {}) });
    void client.update(1n);
    client.coordination.end();
    expect(coordinator.peerCount).toBe(1);
    await client.coordination.responses.return?.();
    expect([coordinator.peerCount, coordinator.knownCount]).toEqual([0, 0]);
  });

  it("answers have one reader", async () => {
    const { responses } = new TestPeer(local(), { isReading: false }).coordination;
    void responses.next();
    await expect(responses.next()).rejects.toThrow("have one reader");
  });

  it("the id of a peer is a UUID", () => {
    const peer = { id: "main", name: "main", authorize: () => {} };
    expect(() => local().coordinate(peer)).toThrow('the id of a tailnet peer is a UUID, not "main"');
  });

  it("S4.20, S4.24 who comes again and has not heard of a partner does not hear of its end", async () => {
    const coordinator = local();
    const [agent, client] = [new TestPeer(coordinator), new TestPeer(coordinator)];
    await agent.update(1n);
    await client.update(2n);
    await client.addTunnel(agent);
    await agent.heard(1);
    const silent = new TestPeer(coordinator, { id: client.id });
    const again = new TestPeer(coordinator, { id: agent.id });
    await silent.disconnect();
    await silent.ended();
    await again.handled();
    expect(again.news).toEqual([]);
  });

  it("a tunnel to oneself is none", async () => {
    const coordinator = local();
    const one = new TestPeer(coordinator);
    void one.update(1n);
    void one.addTunnel(one);
    await one.handled();
    expect(one.news).toEqual([]);
    await one.disconnect();
    await one.ended();
    expect(coordinator.knownCount).toBe(0);
  });

  it("a tunnel each way is one: removing one of them tells nobody anything", async () => {
    const coordinator = local();
    const [a, b] = [new TestPeer(coordinator), new TestPeer(coordinator)];
    await a.update(1n);
    await b.update(2n);
    await a.addTunnel(b);
    await b.addTunnel(a);
    await a.removeTunnel(b);
    await a.handled();
    await b.handled();
    expect([a.known.get(b.id), b.known.get(a.id)]).toEqual([2n, 1n]);
    expect([a.news.length, b.news.length]).toEqual([1, 1]);
    await b.removeTunnel(a);
    await b.handled();
    expect([a.known.size, b.known.size]).toEqual([0, 0]);
  });
});
