import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AgentConnection } from "../../../src/client/index-node.js";
import type { CoordinateRequest } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type { ControlPlane } from "../../../src/server/index.js";
import type { Coordinator, CoordinatorLimits } from "../../../src/server/tailnet/coordinator.js";
import { LocalCoordinator } from "../../../src/server/tailnet/local-coordinator.js";
import { agentAddresses, formatAddress } from "../../../src/server/tailnet/node-address.js";
import { controlPlane, dialled, eventually } from "../../support/control-plane.js";
import { TestPeer } from "./test-peer.js";

/** The two directions of a call on a connection, for a test's peer. */
function overTheWire({ tailnet }: AgentConnection, signal?: AbortSignal): Coordinator {
  return {
    peerCount: 1,
    close: () => Promise.resolve(),
    coordinate() {
      const waiting: CoordinateRequest[] = [];
      let isOver = false;
      let wake = () => {};
      async function* requests() {
        for (;;) {
          yield* waiting.splice(0);
          if (waiting.length > 0) continue;
          if (isOver) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      const options = signal === undefined ? {} : { signal };
      const answers = tailnet.coordinate(requests(), options)[Symbol.asyncIterator]();
      return {
        responses: answers as ReturnType<Coordinator["coordinate"]>["responses"],
        async send(request) {
          waiting.push(request);
          wake();
        },
        end() {
          isOver = true;
          wake();
        },
      };
    },
  };
}

const tokens = [randomUUID(), randomUUID()];

/** Two agents' connections, and a client of both that is in the server's process. */
async function start(limits?: CoordinatorLimits) {
  const coordinator = new LocalCoordinator(limits);
  onTestFinished(() => coordinator.close());
  const agents = tokens.map((token, i) => ({ name: `agent-${i}`, token }));
  const plane = await controlPlane(
    {},
    { tailnet: { coordinator }, workspaces: [{ owner: "ada", name: "dev", agents }] },
  );
  const client = new TestPeer(coordinator);
  await client.update(1n);
  for (const { id } of plane.agents) await client.addTunnel({ id });
  return { coordinator, plane, client };
}

async function agentPeer(plane: ControlPlane, i: number) {
  const { id, token } = plane.agents[i] ?? { id: "", token: "" };
  const connection = await dialled(plane, { token });
  const peer = new TestPeer(overTheWire(connection), { id });
  const addresses = agentAddresses(id).map((address) => `${formatAddress(address)}/128`);
  return { connection, peer, node: { addresses, allowedIps: addresses } };
}

describe("Coordinate, for agents' connections", () => {
  it("S4.2, S4.15 agents and a client get each other's nodes; agents do not get one another's", async () => {
    const { plane, client } = await start();
    const [first, second] = [await agentPeer(plane, 0), await agentPeer(plane, 1)];
    await first.peer.update(10n, first.node);
    await second.peer.update(20n, second.node);
    await client.heard(2);
    expect(client.known).toEqual(
      new Map([
        [first.peer.id, 10n],
        [second.peer.id, 20n],
      ]),
    );
    await Promise.all([first.peer.heard(1), second.peer.heard(1)]);
    await client.update(2n);
    await Promise.all([first.peer.heard(2), second.peer.heard(2)]);
    for (const { peer } of [first, second]) {
      expect(peer.news).toEqual([
        { of: client.id, kind: "NODE", node: 1n, reason: "init" },
        { of: client.id, kind: "NODE", node: 2n, reason: "node update" },
      ]);
      await peer.ready(client);
    }
    await client.heard(4);
    expect(client.news.slice(2).map(({ kind }) => kind)).toEqual([
      "READY_FOR_HANDSHAKE",
      "READY_FOR_HANDSHAKE",
    ]);
  });

  it("S4.17 Disconnect ends the stream, without an error", async () => {
    const { plane, client } = await start();
    const { peer } = await agentPeer(plane, 0);
    await peer.update(10n);
    await client.heard(1);
    await peer.disconnect();
    await peer.ended();
    expect(peer.errors).toEqual([]);
    expect((await client.heard(2))[1]).toMatchObject({ kind: "DISCONNECTED", reason: "graceful disconnect" });
  });

  it.each<[string, (agent: Awaited<ReturnType<typeof agentPeer>>, abort: () => void) => void]>([
    ["no more requests", ({ peer }) => peer.coordination.end()],
    ["the connection closes", ({ connection }) => void connection.close()],
    ["the call is cancelled", (_, abort) => abort()],
  ])("S4.18 %s: the agent is lost", async (_, end) => {
    const { plane, client, coordinator } = await start();
    const { connection, peer, node } = await agentPeer(plane, 0);
    await peer.disconnect();
    await peer.ended();
    const abort = new AbortController();
    const again = new TestPeer(overTheWire(connection, abort.signal), { id: peer.id, isReading: false });
    const over = again.coordination.responses.next().catch(() => {});
    await again.update(10n, node);
    await client.heard(1);
    end({ connection, peer: again, node }, () => abort.abort());
    expect((await client.heard(2))[1]).toEqual({ of: peer.id, kind: "LOST", reason: "lost" });
    expect(coordinator.peerCount).toBe(1);
    await over;
  });

  it("S4.12 what an agent may not say ends its stream", async () => {
    const { plane, client } = await start();
    const { peer } = await agentPeer(plane, 0);
    await peer.addTunnel(client);
    await peer.ended();
    expect(peer.errors).toEqual(["authorization: agents cannot open tunnels"]);
  });

  it("S4.24 an agent that dials again takes its own place", async () => {
    const { plane, client, coordinator } = await start();
    const first = await agentPeer(plane, 0);
    await first.peer.update(10n);
    await client.heard(1);
    const again = await agentPeer(plane, 0);
    await first.peer.ended();
    expect(first.peer.errors).toEqual(["peer ID overwritten by new connection"]);
    await again.peer.update(11n);
    await client.heard(2);
    expect(client.news.map(({ kind }) => kind)).toEqual(["NODE", "NODE"]);
    expect(coordinator.peerCount).toBe(2);
  });

  it("S4.23 after the coordinator has closed a call gets no answers, and ends", async () => {
    const { plane, coordinator } = await start();
    const first = await agentPeer(plane, 0);
    await first.peer.heard(1);
    await coordinator.close();
    await first.peer.ended();
    expect(first.peer.errors).toEqual(["coordinator closed"]);
    const late = new TestPeer(overTheWire(first.connection));
    await late.ended();
    expect(late.responses).toEqual([]);
  });

  it("a coordinator that was given is not closed with the API", async () => {
    const { plane, client, coordinator } = await start();
    const { peer } = await agentPeer(plane, 0);
    await peer.update(10n);
    await client.heard(1);
    await plane.close();
    await client.heard(2);
    expect([client.isOver, coordinator.peerCount]).toEqual([false, 1]);
  });

  it("S4.21 an agent that does not read is cut off; it costs others nothing, and holds little", async () => {
    const { plane, client, coordinator } = await start({ maxQueuedBytes: 200_000 });
    const reader = await agentPeer(plane, 1);
    await reader.peer.heard(1);
    const slow = await agentPeer(plane, 0);
    const abort = new AbortController();
    await slow.peer.disconnect();
    await slow.peer.ended();
    const stalled = new TestPeer(overTheWire(slow.connection, abort.signal), {
      id: slow.peer.id,
      isReading: false,
    });
    // the call begins, and nobody reads on
    await stalled.coordination.responses.next();
    expect(coordinator.peerCount).toBe(3);
    let sent = 1;
    while (coordinator.peerCount === 3) {
      const id = BigInt(++sent);
      await client.update(id, { disco: "d".repeat(10_000) });
      await reader.peer.until(() => reader.peer.known.get(client.id) === id, `node ${id}`);
    }
    // what the stream and the connection hold, and then what may wait
    expect(sent * 10_000).toBeLessThan(2_000_000);
    expect(reader.peer.faults).toEqual([]);
    const manifest = await slow.connection.agent.getManifest({});
    expect(manifest.agentName).toBe("agent-0");
    // at last it reads: what had left for it, and why it was cut off
    stalled.read();
    await stalled.ended();
    expect(stalled.errors).toEqual(["failed to update tunnel peer mapping"]);
    await eventually(() => coordinator.peerCount === 2);
  });
});
