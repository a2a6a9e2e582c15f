import type { Coordinator } from "../../../src/server/tailnet/coordinator.js";
import { TestPeer } from "./test-peer.js";

/** Replicas of which it can be known that what was said to them has arrived. */
export interface Observed {
  /** The replicas as they are, but for the beacons, which do not count. */
  replicas: Coordinator[];
  /** Resolves when all that has been said before, and all that follows from it in a few steps, has arrived. */
  settle(): Promise<void>;
}

/** One thing may lead to another, such as a slow peer that is cut off. */
const rounds = 4;

/** On each replica a beacon, and a watcher that follows the beacons of all. */
export async function observed(replicas: readonly Coordinator[]): Promise<Observed> {
  const beacons = replicas.map((replica) => new TestPeer(replica));
  const watchers = replicas.map((replica) => new TestPeer(replica));
  for (const watcher of watchers) for (const beacon of beacons) await watcher.addTunnel(beacon);
  let lastNode = 0n;
  const round = async () => {
    const node = ++lastNode;
    await Promise.all(beacons.map((beacon) => beacon.update(node)));
    const seesAll = (watcher: TestPeer) => beacons.every(({ id }) => watcher.known.get(id) === node);
    await Promise.all(watchers.map((each) => each.until(() => seesAll(each), `beacons ${node}`)));
  };
  return {
    replicas: replicas.map((replica) => ({
      coordinate: (peer) => replica.coordinate(peer),
      get peerCount() {
        return replica.peerCount - 2;
      },
      close: () => replica.close(),
    })),
    async settle() {
      for (let i = 0; i < rounds; i++) await round();
      // those that were told in the same go read it now
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
