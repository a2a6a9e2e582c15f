import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Coordinator, CoordinatorLimits } from "../../../src/server/tailnet/coordinator.js";
import { type News, TestPeer, type TestPeerOptions } from "./test-peer.js";

/** One coordinator, or several that work as one. */
interface Replicas {
  replicas: Coordinator[];
  /** Closes all of them, and what they work on. */
  close(): Promise<void>;
}

/** Makes what is tested, with nobody connected. */
export type MakeReplicas = (limits?: CoordinatorLimits) => Promise<Replicas>;

/** What differs between implementations. */
export interface ComplianceOptions {
  /** False where replicas do not hand on why something has happened to a peer's node. */
  hasReasons?: boolean;
}

/** What every coordinator does. Peers are spread over the replicas, in turn; nothing is taken to arrive at once. */
export function coordinatorCompliance(
  name: string,
  make: MakeReplicas,
  { hasReasons = true }: ComplianceOptions = {},
): void {
  /** A function that makes peers, each on the next replica. */
  async function peers(limits?: CoordinatorLimits) {
    const made = await make(limits);
    onTestFinished(() => made.close());
    let count = 0;
    const on = (i: number, options?: TestPeerOptions) => {
      const replica = made.replicas[i % made.replicas.length];
      if (replica === undefined) throw new Error("there is no replica");
      return new TestPeer(replica, options);
    };
    const join = (options?: TestPeerOptions) => on(count++, options);
    return { ...made, on, join };
  }

  /** An agent and a client with a tunnel to it that know each other, as nodes 1 and 2. */
  async function pair(limits?: CoordinatorLimits) {
    const all = await peers(limits);
    const agent = all.join();
    const client = all.join();
    await agent.update(1n);
    await client.update(2n);
    await Promise.all([agent.handled(), client.handled()]);
    await client.addTunnel(agent);
    await Promise.all([agent.heard(1), client.heard(1)]);
    return { ...all, agent, client };
  }

  function node(of: { id: string }, id: bigint, reason: string): News {
    return told({ of: of.id, kind: "NODE", node: id, reason });
  }

  function gone(of: { id: string }, kind: "LOST" | "DISCONNECTED", reason: string): News {
    return told({ of: of.id, kind, reason });
  }

  function told(news: News): News {
    return hasReasons ? news : { ...news, reason: expect.any(String) as unknown as string };
  }

  describe(name, () => {
    it("S4.10 one request may say several things: the node goes to the peer of the new tunnel", async () => {
      const { join } = await peers();
      const [agent, client] = [join(), join()];
      await agent.handled();
      await client.say({ updateSelf: { node: { id: 2n } }, addTunnel: { id: bytesOf(agent) } });
      expect(await agent.heard(1)).toEqual([node(client, 2n, "add tunnel")]);
    });

    it("S4.10 of a request that is refused nothing counts", async () => {
      const { join } = await peers();
      const agent = join();
      const client = join({
        authorize: ({ addTunnel }) => {
          if (addTunnel !== undefined) throw new Error("no tunnels here");
        },
      });
      const other = join();
      await other.addTunnel(client);
      await client.say({ updateSelf: { node: { id: 2n } }, addTunnel: { id: bytesOf(agent) } });
      await client.ended();
      expect(client.errors).toEqual(["authorization: no tunnels here"]);
      await agent.update(1n);
      await agent.handled();
      await other.handled();
      expect([agent.news, other.news, client.news]).toEqual([[], [], []]);
    });

    it("S4.10 requests are handled in order, and those after the one that is refused are not", async () => {
      const { join } = await peers();
      let asked = 0;
      const client = join({
        authorize: async () => {
          asked++;
          await new Promise((resolve) => setImmediate(resolve));
          if (asked === 3) throw new Error("that is enough");
        },
      });
      const agent = join();
      await agent.addTunnel(client);
      await client.update(1n);
      await agent.heard(1);
      await Promise.all([2n, 3n, 4n].map((id) => client.update(id)));
      await client.ended();
      expect(asked).toBe(3);
      expect(client.errors).toEqual(["authorization: that is enough"]);
      await agent.until(() => agent.news.at(-1)?.kind === "LOST", "the loss");
      expect(agent.news.every(({ node }) => node === undefined || node <= 2n)).toBe(true);
    });

    it.each([
      ["addTunnel", { addTunnel: { id: new Uint8Array(3) } }, ""],
      ["removeTunnel", { removeTunnel: { id: new Uint8Array(3) } }, ""],
      ["readyForHandshake", { readyForHandshake: [{ id: new Uint8Array(3) }] }, "handle ack: "],
    ])(
      "S4.11 %s with an id that is none ends the stream; others lose the peer",
      async (_, request, prefix) => {
        const { agent, client } = await pair();
        await client.say(request);
        await client.ended();
        expect(client.errors).toEqual([
          `${prefix}unable to convert bytes to UUID: invalid UUID (got 3 bytes)`,
        ]);
        expect((await agent.heard(2))[1]).toEqual(gone(client, "LOST", "lost"));
      },
    );

    it("S4.27 update_self without a node ends the stream", async () => {
      const { join } = await peers();
      const client = join();
      await client.say({ updateSelf: {} });
      await client.ended();
      expect(client.errors).toEqual(["update_self without a node"]);
    });

    it("S4.14 a new node goes to all partners, one that equals the last does not", async () => {
      const { agent, client, join } = await pair();
      const second = join();
      await second.addTunnel(agent);
      expect(await second.heard(1)).toEqual([node(agent, 1n, "add tunnel")]);
      const latency = { "1-v4": 0.5, "2-v4": 0.25 };
      await agent.update(3n, { derpLatency: latency, endpoints: ["192.0.2.1:1"] });
      await Promise.all([client.heard(2), second.heard(2)]);
      const same = { "2-v4": 0.25, "1-v4": 0.5 };
      await agent.update(3n, { derpLatency: same, endpoints: ["192.0.2.1:1"] });
      await agent.handled();
      await agent.update(4n);
      for (const peer of [client, second]) {
        const [, ...updates] = await peer.heard(3);
        expect(updates).toEqual([node(agent, 3n, "node update"), node(agent, 4n, "node update")]);
      }
    });

    it("S4.15 with a tunnel both ends get each other's node, once", async () => {
      const { agent, client } = await pair();
      await client.addTunnel(agent);
      await client.handled();
      await agent.update(3n);
      expect(await client.heard(2)).toEqual([node(agent, 1n, "add tunnel"), node(agent, 3n, "node update")]);
      await client.update(4n);
      expect(await agent.heard(2)).toEqual([node(client, 2n, "add tunnel"), node(client, 4n, "node update")]);
    });

    it("S4.15 a peer is told of nobody that it has no tunnel with", async () => {
      const { agent, client, join } = await pair();
      const [stranger, other] = [join(), join()];
      await stranger.update(5n);
      await other.update(6n);
      await other.addTunnel(agent);
      await other.heard(1);
      await agent.heard(2);
      await Promise.all([stranger.handled(), client.handled()]);
      expect(stranger.news).toEqual([]);
      expect(client.known).toEqual(new Map([[agent.id, 1n]]));
      expect(other.known).toEqual(new Map([[agent.id, 1n]]));
    });

    it("S4.16 both ends of a tunnel that is removed lose each other, once", async () => {
      const { agent, client } = await pair();
      await client.removeTunnel(agent);
      await client.removeTunnel(agent);
      const removed = (of: TestPeer) => gone(of, "DISCONNECTED", "remove tunnel");
      expect((await client.heard(2))[1]).toEqual(removed(agent));
      expect((await agent.heard(2))[1]).toEqual(removed(client));
      await client.handled();
      await agent.update(3n);
      await client.update(4n);
      await client.addTunnel(agent);
      expect((await client.heard(3))[2]).toEqual(node(agent, 3n, "add tunnel"));
      expect((await agent.heard(3))[2]).toEqual(node(client, 4n, "add tunnel"));
    });

    it("S4.16 removing a tunnel that there is not does nothing", async () => {
      const { join } = await peers();
      const [agent, client] = [join(), join()];
      await client.removeTunnel(agent);
      await client.removeTunnel({ id: randomUUID() });
      await client.handled();
      expect(client.isOver).toBe(false);
      expect([agent.news, client.news]).toEqual([[], []]);
    });

    it("S4.17 a peer that says goodbye is gone, and its stream ends without an error", async () => {
      const { agent, client } = await pair();
      await client.disconnect();
      await client.ended();
      expect(client.errors).toEqual([]);
      expect((await agent.heard(2))[1]).toEqual(gone(client, "DISCONNECTED", "graceful disconnect"));
    });

    it("S4.18 a peer that says no more is lost", async () => {
      const { agent, client } = await pair();
      client.coordination.end();
      await client.ended();
      expect(client.errors).toEqual([]);
      expect((await agent.heard(2))[1]).toEqual(gone(client, "LOST", "lost"));
    });

    it("S4.18 the cause of an end is told to the peer", async () => {
      const { agent, client } = await pair();
      client.coordination.end("context canceled");
      await client.ended();
      expect(client.errors).toEqual(["context canceled"]);
      expect((await agent.heard(2))[1]).toEqual(gone(client, "LOST", "lost"));
    });

    it("S4.18 what was said before the end counts", async () => {
      const { agent, client } = await pair();
      void client.update(7n);
      void client.disconnect();
      client.coordination.end();
      await client.ended();
      await agent.until(() => agent.news.at(-1)?.kind !== "NODE", "the goodbye");
      expect(agent.news.at(-1)).toEqual(gone(client, "DISCONNECTED", "graceful disconnect"));
    });

    it("S4.19 an agent that is ready says so to those it shares a tunnel with", async () => {
      const { agent, client } = await pair();
      await agent.ready(client);
      const [, ready] = await client.heard(2);
      expect(ready).toMatchObject({ of: agent.id, kind: "READY_FOR_HANDSHAKE" });
    });

    it("S4.19 being ready for a stranger is complained of, and the rest of the list counts", async () => {
      const { agent, client, join } = await pair();
      const stranger = join();
      await agent.ready(stranger, client, { id: agent.id });
      await agent.until(() => agent.errors.length === 2, "two complaints");
      expect(agent.errors).toEqual(
        [stranger, agent].map(
          ({ id }) => `ready for handshake error: you do not share a tunnel with "${id}"`,
        ),
      );
      expect((await client.heard(2))[1]).toMatchObject({ kind: "READY_FOR_HANDSHAKE" });
      expect([agent.isOver, stranger.news]).toEqual([false, []]);
    });

    it("S4.19 being ready for a partner that is not connected does nothing", async () => {
      const { join } = await peers();
      const absent = { id: randomUUID() };
      const client = join();
      await client.addTunnel(absent);
      await client.ready(absent);
      await client.handled();
      expect([client.errors, client.isOver]).toEqual([[], false]);
    });

    it("S4.20 only those hear of the end that have known the node", async () => {
      const { join } = await peers();
      const [agent, client, other] = [join(), join(), join()];
      await client.addTunnel(agent);
      await other.update(3n);
      await other.addTunnel(agent);
      await agent.heard(1);
      await client.handled();
      await client.disconnect();
      await client.ended();
      await other.disconnect();
      expect(await agent.heard(2)).toEqual([
        node(other, 3n, "add tunnel"),
        gone(other, "DISCONNECTED", "graceful disconnect"),
      ]);
      agent.coordination.end();
      await agent.ended();
      expect([client.news, other.news]).toEqual([[], []]);
    });

    it("S4.21 a peer that does not read is cut off; its partners and their tunnels go on", async () => {
      // one update in each answer
      const { join } = await peers({ maxQueuedResponses: 4, maxResponseBytes: 1 });
      const [agent, other] = [join(), join()];
      const slow = join({ isReading: false });
      await slow.update(9n);
      await slow.addTunnel(agent);
      await other.addTunnel(agent);
      await agent.heard(1);
      for (let id = 100n; agent.known.has(slow.id); id++) {
        await agent.update(id);
        await other.until(() => other.known.get(agent.id) === id, `node ${id}`);
        await agent.handled();
        if (id > 500n) throw new Error("the slow peer is not cut off");
      }
      expect(agent.news.at(-1)).toEqual(gone(slow, "DISCONNECTED", "failed update"));
      slow.read();
      await slow.ended();
      expect(slow.responses.length).toBeLessThanOrEqual(6);
      expect(slow.errors).toEqual(["failed to update tunnel peer mapping"]);
      await agent.update(7n);
      await other.until(() => other.known.get(agent.id) === 7n, "what comes after");
      expect([slow.known.get(agent.id), other.faults]).not.toContain(7n);
    });

    it("S4.22 who comes later gets the nodes of all its partners at once", async () => {
      const { join } = await peers();
      const clients = [join(), join(), join(), join(), join()];
      const id = randomUUID();
      for (const [i, client] of clients.entries()) {
        await client.update(BigInt(i + 10));
        await client.addTunnel({ id });
        await client.handled();
      }
      const agent = join({ id });
      await agent.heard(5);
      expect(agent.responses).toHaveLength(1);
      const byPeer = (a: News, b: News) => a.of.localeCompare(b.of);
      const expected = clients.map((client, i) => node(client, BigInt(i + 10), "init"));
      expect([...agent.news].sort(byPeer)).toEqual(expected.sort(byPeer));
    });

    it("S4.22 tunnels to an agent survive it; it comes back to the same clients", async () => {
      const { agent, client, join } = await pair();
      await agent.disconnect();
      expect((await client.heard(2))[1]).toEqual(gone(agent, "DISCONNECTED", "graceful disconnect"));
      const again = join({ id: agent.id });
      expect(await again.heard(1)).toEqual([node(client, 2n, "init")]);
      await again.update(1n);
      expect((await client.heard(3))[2]).toEqual(node(agent, 1n, "node update"));
    });

    it("S4.22 tunnels of a client go with it", async () => {
      const { agent, client, join } = await pair();
      client.coordination.end();
      await agent.heard(2);
      const again = join({ id: client.id });
      await again.update(2n);
      await again.handled();
      await agent.update(3n);
      await agent.handled();
      expect([agent.news.length, again.news]).toEqual([2, []]);
      await again.addTunnel(agent);
      expect(await again.heard(1)).toEqual([node(agent, 3n, "add tunnel")]);
      expect((await agent.heard(3))[2]).toEqual(node(client, 2n, "add tunnel"));
    });

    it("S4.23 when a coordinator closes, its peers are told, and the others lose them", async () => {
      const { agent, client, replicas } = await pair();
      await replicas[0]?.close();
      await agent.ended();
      expect(agent.errors).toEqual(["coordinator closed"]);
      if (replicas.length === 1) {
        await client.ended();
        expect(client.errors).toEqual(["coordinator closed"]);
      }
      await client.until(() => !client.known.has(agent.id), "the loss of the agent");
      expect(client.news.at(-1)).toEqual(gone(agent, "LOST", "coordinator close"));
    });

    it("S4.23 after that a call gets no answers, and what is said is for nobody", async () => {
      const { replicas } = await peers();
      const [first] = replicas;
      if (first === undefined) throw new Error("there is no replica");
      await first.close();
      const late = new TestPeer(first);
      await late.update(1n);
      late.coordination.end("context canceled");
      await late.ended();
      expect([late.responses, first.peerCount]).toEqual([[], 0]);
      await first.close();
    });

    it("S4.24 an id that connects again takes the place of the old; partners are not told of a loss", async () => {
      const { agent, client, on } = await pair();
      const again = on(1, { id: agent.id });
      await agent.ended();
      expect(agent.errors).toEqual(["peer ID overwritten by new connection"]);
      expect(await again.heard(1)).toEqual([node(client, 2n, "init")]);
      await agent.update(8n);
      agent.coordination.end();
      await again.update(3n);
      expect(await client.heard(2)).toEqual([node(agent, 1n, "add tunnel"), node(agent, 3n, "node update")]);
      await client.update(4n);
      expect((await again.heard(2))[1]).toEqual(node(client, 4n, "node update"));
      expect(agent.known.get(client.id)).toBe(2n);
    });

    it("S4.24 a client that connects again has its tunnels, until it goes", async () => {
      const { agent, client, on } = await pair();
      const again = on(0, { id: client.id });
      await client.ended();
      expect(await again.heard(1)).toEqual([node(agent, 1n, "init")]);
      await again.update(5n);
      expect(await agent.heard(2)).toEqual([node(client, 2n, "add tunnel"), node(client, 5n, "node update")]);
      await again.disconnect();
      expect((await agent.heard(3))[2]).toEqual(gone(client, "DISCONNECTED", "graceful disconnect"));
    });

    it("a peer with too many tunnels is told, and its stream ends", async () => {
      const { agent, client } = await pair({ maxTunnelsPerPeer: 2 });
      await client.addTunnel({ id: randomUUID() });
      await client.addTunnel(agent);
      await client.handled();
      expect(client.isOver).toBe(false);
      await client.addTunnel({ id: randomUUID() });
      await client.ended();
      expect(client.errors).toEqual(["a peer may open 2 tunnels: remove one before the next"]);
      expect((await agent.heard(2))[1]).toEqual(gone(client, "LOST", "lost"));
    });

    it("a node that is too large ends the stream of whoever says it, and of nobody else", async () => {
      const { agent, client } = await pair({ maxNodeBytes: 1000 });
      await client.update(3n, { disco: "d".repeat(900) });
      await agent.until(() => agent.known.get(client.id) === 3n, "the large node");
      await client.update(4n, { disco: "d".repeat(1000) });
      await client.ended();
      expect(client.errors).toEqual([expect.stringMatching(/^a node may have 1000 bytes, not 10\d\d$/)]);
      await agent.until(() => !agent.known.has(client.id), "the end of the client");
      expect([agent.isOver, agent.errors]).toEqual([false, []]);
    });

    it("a peer is the same in any spelling of its id", async () => {
      const { join } = await peers();
      const id = randomUUID();
      const agent = join({ id: id.toUpperCase() });
      const client = join();
      await Promise.all([agent.update(1n), client.update(2n)]);
      await client.addTunnel({ id });
      // where the two are on different coordinators, the tunnel may be there before the node
      const [first] = await client.heard(1);
      expect([node({ id }, 1n, "add tunnel"), node({ id }, 1n, "node update")]).toContainEqual(first);
      const again = join({ id });
      await agent.ended();
      expect(agent.errors).toEqual(["peer ID overwritten by new connection"]);
      expect(await again.heard(1)).toEqual([node(client, 2n, "init")]);
    });

    it("S4.19 a partner that is named often in one request is told once", async () => {
      const { agent, client } = await pair();
      await agent.ready(...Array.from({ length: 1000 }, () => client));
      await agent.handled();
      await agent.update(9n);
      await client.until(() => client.known.get(agent.id) === 9n, "the node after it");
      expect(client.news.filter(({ kind }) => kind === "READY_FOR_HANDSHAKE")).toHaveLength(1);
    });

    it("all that is sent before there is room is taken in the end", async () => {
      const { agent, client } = await pair({ maxQueuedRequests: 2 });
      await Promise.all(Array.from({ length: 20 }, (_, i) => client.update(BigInt(i + 10))));
      await agent.until(() => agent.known.get(client.id) === 29n, "the last of them");
    });

    it("a peer counts where it is connected, as long as it is", async () => {
      const { agent, client, replicas } = await pair();
      const count = () => replicas.reduce((sum, replica) => sum + replica.peerCount, 0);
      expect(count()).toBe(2);
      await client.disconnect();
      await client.ended();
      agent.coordination.end();
      await agent.ended();
      expect(count()).toBe(0);
    });
  });
}

function bytesOf({ id }: { id: string }): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(id.replaceAll("-", ""), "hex"));
}
