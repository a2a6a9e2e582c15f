import { describe, expect, it, onTestFinished } from "vitest";
import { LocalCoordinator } from "../../../src/server/tailnet/local-coordinator.js";
import { idBytes, type Talk, talk } from "../../support/tailnet.js";
import { TestPeer } from "./test-peer.js";
import { peerId, userConnection } from "./user-calls.js";

const count = 1000;
const disco = "d".repeat(6000);

/** Peers with nodes, and one over a connection. */
async function crowd() {
  const coordinator = new LocalCoordinator();
  onTestFinished(() => coordinator.close());
  const others = Array.from({ length: count }, () => new TestPeer(coordinator));
  await Promise.all(others.map((other, i) => other.update(BigInt(i), { disco })));
  const { connection } = await userConnection({}, { coordinator });
  const one = talk(connection.tailnet);
  one.say({ updateSelf: { node: { id: 7n } } });
  await expect.poll(() => coordinator.peerCount).toBe(count + 1);
  return { others, one };
}

/** Reads until it knows of everybody. */
async function knowsAll(one: Talk): Promise<void> {
  const known = new Set<bigint>();
  while (known.size < count) {
    const response = await one.next();
    expect(response?.error ?? "the end of the stream").toBe("");
    for (const { node } of response?.peerUpdates ?? []) if (node !== undefined) known.add(node.id);
  }
}

describe("over a connection, whose window a burst is larger than", () => {
  it("a client that opens 1,000 tunnels at once is told of all agents", async () => {
    const { others, one } = await crowd();
    for (const { id } of others) one.say({ addTunnel: { id: idBytes(id) } });
    await knowsAll(one);
    await expect.poll(() => others.every(({ known }) => known.get(peerId) === 7n)).toBe(true);
  });

  it("an agent is told of 1,000 clients that come at once", async () => {
    const { others, one } = await crowd();
    for (const other of others) void other.addTunnel({ id: peerId });
    await knowsAll(one);
  });
});
