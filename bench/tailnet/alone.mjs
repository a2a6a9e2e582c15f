// The coordinator without a network: what a peer costs, and how long a node takes to its partners.
import { randomUUID } from "node:crypto";
import { LocalCoordinator } from "../../dist/server/tailnet/local-coordinator.js";
import { heapBytes, percentile, tunnelTo, update } from "./node.mjs";

const { pairs, samples } = JSON.parse(process.argv[2] ?? "");
const coordinator = new LocalCoordinator();
let nodes = 0n;
const before = await heapBytes();
const agents = Array.from({ length: pairs }, join);
const clients = Array.from({ length: pairs }, join);
const idle = await heapBytes();
for (const [i, client] of clients.entries()) {
  const agent = agents[i] ?? client;
  void agent.send(update(++nodes));
  void client.send(update(++nodes));
  void client.send(tunnelTo(agent.id));
}
const linked = await heapBytes();
await delivery(samples);
const latenciesUs = await delivery(samples);

const one = join();
void one.send(update(++nodes));
for (const client of clients) {
  void client.send(tunnelTo(one.id));
  // over connections they would not come all at once: more than 512 answers would wait for the agent
  await new Promise((resolve) => setImmediate(resolve));
}
/** @type {number[]} */
const fanOutsUs = [];
for (let i = 0; i < 20; i++) fanOutsUs.push(await fanOut());
console.log(
  JSON.stringify({
    idleBytes: (idle - before) / (2 * pairs),
    linkedBytes: (linked - before) / (2 * pairs),
    p50Us: percentile(latenciesUs, 50),
    p99Us: percentile(latenciesUs, 99),
    fanOutMs: percentile(fanOutsUs, 50) / 1000,
  }),
);
await coordinator.close();

/** A peer that reads all it is told. */
function join() {
  const id = randomUUID();
  const coordination = coordinator.coordinate({ id, name: "peer", authorize: () => {} });
  const peer = { id, send: coordination.send.bind(coordination), onNews: () => {} };
  void (async () => {
    for await (const _ of coordination.responses) peer.onNews();
  })();
  return peer;
}

/** Times from `send` to the partner's news, one at a time. */
async function delivery(/** @type {number} */ count) {
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < count; i++) {
    const [agent, client] = [agents[i % pairs], clients[i % pairs]];
    if (agent === undefined || client === undefined) continue;
    const request = update(++nodes);
    const heard = new Promise((resolve) => {
      client.onNews = () => resolve(performance.now());
    });
    const begin = performance.now();
    void agent.send(request);
    times.push(((await heard) - begin) * 1000);
    client.onNews = () => {};
  }
  return times;
}

/** From one agent's `send` until all clients have heard. */
function fanOut() {
  return new Promise((resolve) => {
    let left = clients.length;
    const begin = performance.now();
    for (const client of clients) {
      client.onNews = () => {
        if (--left === 0) resolve((performance.now() - begin) * 1000);
      };
    }
    void one.send(update(++nodes));
  });
}
