// Agents and clients on connections of their own: says when all are there, then how long nodes took.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { dialAgent } from "agentwire/client";
import { percentile, tunnelTo, update } from "./node.mjs";

const { url, pairs, samples } = JSON.parse(process.argv[2] ?? "");
let nodes = 0n;
const begin = performance.now();
/** @type {Awaited<ReturnType<typeof join>>[]} */
const peers = [];
for (let i = 0; i < 2 * pairs; i += 50) {
  const count = Math.min(50, 2 * pairs - i);
  peers.push(...(await Promise.all(Array.from({ length: count }, join))));
}
// the first half are agents, each with a client in the second
const agents = peers.slice(0, pairs);
const clients = peers.slice(pairs);
await Promise.all(agents.map((agent, i) => pair(agent, clients[i] ?? agent)));
say({ connectedInMs: performance.now() - begin });
await once(process.stdin, "data");
await delivery(samples, 1);
const alone = await delivery(samples, 1);
const together = await delivery(samples, 16);
say({
  p50Us: percentile(alone, 50),
  p99Us: percentile(alone, 99),
  p50Of16Us: percentile(together, 50),
  p99Of16Us: percentile(together, 99),
});

/** @param {object} facts */
function say(facts) {
  console.log(JSON.stringify(facts));
}

async function join() {
  const id = randomUUID();
  const connection = await dialAgent({ url, token: id, proxy: false });
  /** @type {ReturnType<typeof update>[]} */
  const waiting = [];
  let wake = () => {};
  async function* requests() {
    for (;;) {
      yield* waiting.splice(0);
      if (waiting.length > 0) continue;
      await new Promise((resolve) => {
        wake = () => resolve(undefined);
      });
    }
  }
  const peer = {
    id,
    onNews: () => {},
    send(/** @type {ReturnType<typeof update>} */ request) {
      waiting.push(request);
      wake();
    },
  };
  void (async () => {
    for await (const _ of connection.tailnet.coordinate(requests())) peer.onNews();
  })();
  return peer;
}

/** @typedef {Awaited<ReturnType<typeof join>>} BenchPeer */

/**
 * @param {BenchPeer} agent
 * @param {BenchPeer} client
 */
async function pair(agent, client) {
  agent.send(update(++nodes));
  const heard = Promise.all([agent, client].map(news));
  client.send(update(++nodes));
  client.send(tunnelTo(agent.id));
  await heard;
}

/** @param {BenchPeer} peer */
function news(peer) {
  return new Promise((resolve) => {
    peer.onNews = () => resolve(performance.now());
  });
}

/**
 * Times from an agent's node to its client's news, so many under way.
 *
 * @param {number} count
 * @param {number} window
 */
async function delivery(count, window) {
  /** @type {number[]} */
  const times = [];
  const lines = Math.min(window, pairs);
  // no pair is in two lines
  const used = pairs - (pairs % lines);
  const line = async (/** @type {number} */ first) => {
    for (let i = first; i < count; i += lines) {
      const [agent, client] = [agents[i % used], clients[i % used]];
      if (agent === undefined || client === undefined) continue;
      const request = update(++nodes);
      const heard = news(client);
      const start = performance.now();
      agent.send(request);
      times.push(((await heard) - start) * 1000);
    }
  };
  await Promise.all(Array.from({ length: lines }, (_, i) => line(i)));
  return times;
}
