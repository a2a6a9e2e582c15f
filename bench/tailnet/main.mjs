#!/usr/bin/env node
// What a peer of the tailnet costs the server, and how long its node takes to a partner. See README.md.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    pairs: { type: "string" },
    samples: { type: "string" },
  },
});
const pairs = Number(values.pairs ?? (values.quick ? 20 : 1000));
const samples = Number(values.samples ?? (values.quick ? 50 : 5000));
/** @type {import("node:child_process").ChildProcess[]} */
const children = [];

try {
  report(await alone(), await connected());
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(
    children.map((child) => (child.exitCode ?? child.signalCode) === null && once(child, "exit")),
  );
}

async function alone() {
  return start("alone.mjs", { pairs, samples }).next();
}

async function connected() {
  const server = start("server.mjs", {});
  const { url } = await server.next();
  // what is loaded with the first connections is not the peers' cost
  const warmUp = start("peers.mjs", { url, pairs: 10, samples: 100 });
  await warmUp.next();
  warmUp.tell();
  await warmUp.next();
  warmUp.process.kill("SIGTERM");
  let before = await server.ask();
  while (before.peers > 0) before = await server.ask();
  const peers = start("peers.mjs", { url, pairs, samples });
  const { connectedInMs } = await peers.next();
  const after = await server.ask();
  peers.tell();
  const times = await peers.next();
  return {
    ...times,
    connectedInMs,
    peers: after.peers,
    heapBytes: (after.heap - before.heap) / (2 * pairs),
    rssBytes: (after.rss - before.rss) / (2 * pairs),
  };
}

/**
 * @param {string} program
 * @param {object} facts
 */
function start(program, facts) {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, ["--expose-gc", path, JSON.stringify(facts)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${program} ended before it was done`);
    return JSON.parse(value);
  };
  const tell = () => void child.stdin.write("\n");
  const ask = () => {
    tell();
    return next();
  };
  return { process: child, next, tell, ask };
}

/**
 * @param {Record<string, number>} a
 * @param {Record<string, number>} b
 */
function report(a, b) {
  const us = (/** @type {number | undefined} */ value) => `${(value ?? 0).toFixed(0)} µs`;
  const bytes = (/** @type {number | undefined} */ value) => `${((value ?? 0) / 1024).toFixed(1)} KiB`;
  const rows = [
    ["peers", `${2 * pairs}: ${pairs} agents, ${pairs} clients with a tunnel each`],
    ["coordinator alone: heap of a peer", bytes(a["idleBytes"])],
    ["… with a node and a tunnel", bytes(a["linkedBytes"])],
    ["… node to partner, p50, p99", `${us(a["p50Us"])}, ${us(a["p99Us"])}`],
    [`… one agent to ${pairs} clients, median`, `${(a["fanOutMs"] ?? 0).toFixed(2)} ms`],
    ["real connections: all there in", `${((b["connectedInMs"] ?? 0) / 1000).toFixed(1)} s`],
    ["… server's heap of a peer", bytes(b["heapBytes"])],
    ["… server's resident memory of a peer", bytes(b["rssBytes"])],
    ["… node to partner, one under way, p50, p99", `${us(b["p50Us"])}, ${us(b["p99Us"])}`],
    ["… sixteen under way, p50, p99", `${us(b["p50Of16Us"])}, ${us(b["p99Of16Us"])}`],
  ];
  for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
  if (b["peers"] !== 2 * pairs) throw new Error(`${b["peers"]} peers were connected, not ${2 * pairs}`);
}
