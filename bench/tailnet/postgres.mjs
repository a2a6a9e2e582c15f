#!/usr/bin/env node
// How long a peer's new node takes to its partner on another replica, over PostgreSQL, and what it costs the database:
//   node bench/tailnet/postgres.mjs [--peers 2000] [--seconds 10] [--quick]
// Both replicas are in this process. Needs `npm run build`.
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import pg from "pg";
import { CoordinateRequestSchema } from "../../dist/gen/coder/tailnet/v2/tailnet_pb.js";
import { openPostgresCoordinator } from "../../dist/server/index.js";
import { startServers } from "../events/servers.mjs";

const { values } = parseArgs({
  options: {
    peers: { type: "string", default: "2000" },
    seconds: { type: "string", default: "10" },
    quick: { type: "boolean", default: false },
  },
});
const pairs = (values.quick ? 200 : Number(values.peers)) / 2;
const seconds = values.quick ? 1 : Number(values.seconds);

const servers = await startServers();
let statements = 0;
const { query } = pg.Client.prototype;
pg.Client.prototype.query = /** @type {any} */ (
  /** @this {any} @param {any[]} args */
  function (...args) {
    statements++;
    return query.apply(this, /** @type {any} */ (args));
  }
);
/** @type {string[]} */
const problems = [];
const options = { onProblem: (/** @type {Error} */ { message }) => void problems.push(message) };
const replicas = [
  await openPostgresCoordinator(servers.postgres, options),
  await openPostgresCoordinator(servers.postgres, options),
];
/** @type {((at: number) => void)[]} */
const heard = [];
try {
  const connectedAt = performance.now();
  const agents = Array.from({ length: pairs }, (_, i) => join(i, 0));
  const clients = agents.map((agent, i) => join(i, 1, agent.id));
  for (const agent of agents) agent.say({ updateSelf: { node: node(0) } });
  await Promise.all(clients.map(({ first }) => first));
  report("all peers know their partners after", `${Math.round(performance.now() - connectedAt)} ms`);

  await measure("one change at a time", async (change) => {
    const endAt = performance.now() + seconds * 1000;
    for (let i = 0; performance.now() < endAt; i++) await change(i % pairs);
  });
  const perSecond = values.quick ? 200 : 500;
  await measure(`${perSecond} changes a second`, async (change) => {
    const all = [];
    const startedAt = performance.now();
    for (let i = 0; i < perSecond * seconds; i++) {
      const waitMs = startedAt + (i * 1000) / perSecond - performance.now();
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      all.push(change(i % pairs));
    }
    await Promise.all(all);
  });
  await measure(`${pairs} changes at once`, async (change) => {
    await Promise.all(agents.map((_, i) => change(i)));
  });

  /** @param {string} name @param {(change: (i: number) => Promise<void>) => Promise<void>} run */
  async function measure(name, run) {
    /** @type {number[]} */
    const latenciesMs = [];
    let changes = 0;
    const before = statements;
    await run(
      (i) =>
        new Promise((resolve) => {
          const saidAt = performance.now();
          heard[i] = (at) => {
            latenciesMs.push(at - saidAt);
            resolve();
          };
          agents[i]?.say({ updateSelf: { node: node(++changes) } });
        }),
    );
    const cost = (statements - before) * (1000 / changes);
    latenciesMs.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) =>
      (latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share))] ?? 0).toFixed(1);
    report(
      name,
      `${changes} changes, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${Math.round(cost)} statements per 1,000`,
    );
  }
} finally {
  await Promise.all(replicas.map((each) => each.close()));
  await servers.stop();
}
for (const problem of problems) report("problem", problem);
if (problems.length > 0) process.exitCode = 1;

/** A peer that reads; of a client, each node that comes is the end of a change. */
function join(
  /** @type {number} */ i,
  /** @type {number} */ replica,
  /** @type {string | undefined} */ agentId,
) {
  const id = randomUUID();
  const coordination = replicas[replica]?.coordinate({ id, name: "bench", authorize: () => {} });
  const say = (/** @type {any} */ request) =>
    void coordination?.send(create(CoordinateRequestSchema, request));
  /** @type {(value: void) => void} */
  let onFirst = () => {};
  /** @type {Promise<void>} */
  const first = new Promise((resolve) => {
    onFirst = resolve;
  });
  (async () => {
    for await (const { error } of coordination?.responses ?? []) {
      if (error !== "" && error !== "coordinator closed") problems.push(error);
      onFirst();
      if (agentId !== undefined) heard[i]?.(performance.now());
    }
  })();
  if (agentId !== undefined) {
    say({ addTunnel: { id: Buffer.from(agentId.replaceAll("-", ""), "hex") } });
    say({ updateSelf: { node: node(i) } });
  }
  return { id, say, first };
}

/** About as large as those of real peers. */
function node(/** @type {number} */ id) {
  return {
    id: BigInt(id),
    key: new Uint8Array(32).fill(id % 251),
    disco: "discokey:".padEnd(73, "0"),
    preferredDerp: 1,
    derpLatency: { "1-v4": 0.01, "2-v4": 0.02 },
    addresses: ["fd7a:115c:a1e0::1/128"],
    allowedIps: ["fd7a:115c:a1e0::1/128"],
    endpoints: ["192.0.2.1:41641", "198.51.100.7:41641"],
  };
}

function report(/** @type {string} */ name, /** @type {string} */ text) {
  console.log(`${name}: ${text}`);
}
