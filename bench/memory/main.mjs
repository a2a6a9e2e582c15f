#!/usr/bin/env node
// What connections, streams, readers that pause and 10,000 agents cost in memory. See README.md.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Child, endAll } from "../runner/child.mjs";
import { settled } from "./settled.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    parts: { type: "string", default: "connections,streams,paused,agents" },
    stacks: { type: "string", default: "agentwire,ws,grpc-js" },
    rounds: { type: "string" },
    connections: { type: "string" },
    streams: { type: "string" },
    agents: { type: "string" },
    idle: { type: "boolean", default: false },
    snapshots: { type: "string" },
  },
});
const { quick: isQuick } = values;
const rounds = Number(values.rounds ?? (isQuick ? 1 : 3));
const connectionCount = Number(values.connections ?? (isQuick ? 20 : 1000));
const streamCount = Number(values.streams ?? (isQuick ? 40 : 2000));
const agentCount = Number(values.agents ?? (isQuick ? 40 : 10_000));
const stacks = values.stacks.split(",");
const slowMs = 120_000;

/** The processes that hold one end each, so that neither runs out of files or of processor. */
const agentProcesses = 4;

const parts = { connections, streams, paused, agents };
try {
  for (const name of values.parts.split(",")) {
    const part = parts[name];
    if (part === undefined)
      throw new Error(`no part is called ${name}; there are ${Object.keys(parts).join(", ")}`);
    await part();
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await endAll();
}

async function connections() {
  const rows = stacks.map((stack) => ({ stack, server: samples(), client: samples() }));
  for (let round = 0; round < rounds; round++) {
    for (const { stack, server, client } of rows) {
      await withPair({ stack }, async (pair) => {
        // what is loaded with the first connections is not the others' cost
        await pair.client.request({ op: "connect", count: 10 }, slowMs);
        const before = await pair.used();
        await pair.client.request({ op: "connect", count: connectionCount }, slowMs);
        if (values.idle) await settled(70_000);
        const after = await pair.used();
        await pair.snapshot(`connections-${stack}`);
        add(server, before.server, after.server, connectionCount);
        add(client, before.client, after.client, connectionCount);
      });
    }
  }
  table(`${connectionCount} idle connections: KiB for each`, rows);
}

async function streams() {
  const kinds = stacks
    .filter((stack) => stack !== "ws")
    .flatMap((stack) =>
      stack === "agentwire"
        ? ["promise", "callback", "signal"].map((variant) => ({ stack, variant }))
        : [{ stack, variant: "" }],
    );
  const rows = kinds.map((kind) => ({ ...kind, server: samples(), client: samples() }));
  const alone = { stack: "of it agentwire's callers and handlers", server: samples(), client: samples() };
  for (let round = 0; round < rounds; round++) {
    for (const { stack, variant, server, client } of rows) {
      await withPair({ stack, variant }, async (pair) => {
        await pair.client.request({ op: "connect", count: 4 }, slowMs);
        await pair.client.request({ op: "streams", count: 40 }, slowMs);
        const before = await pair.used();
        await pair.client.request({ op: "streams", count: streamCount }, slowMs);
        const after = await pair.used();
        await pair.snapshot(`streams-${stack}-${variant}`);
        add(server, before.server, after.server, streamCount);
        add(client, before.client, after.client, streamCount);
        if (variant === "promise") await addAlone(pair, alone);
      });
    }
  }
  if (stacks.includes("agentwire")) rows.push({ ...alone, variant: "" });
  table(`${streamCount} idle server streams on 4 connections: KiB for each`, rows);
}

/** What the programs at both ends of a stream keep for it themselves, the same as before without a stream. */
async function addAlone(pair, { server, client }) {
  const ends = [pair.server, pair.client];
  for (const end of ends) await end.request({ op: "alone", count: 40 }, slowMs);
  const before = await pair.used();
  for (const end of ends) await end.request({ op: "alone", count: streamCount }, slowMs);
  const after = await pair.used();
  add(server, before.server, after.server, streamCount);
  add(client, before.client, after.client, streamCount);
}

async function paused() {
  const count = isQuick ? 4 : 64;
  const warmUpCount = isQuick ? 4 : 32;
  const kib = 1024;
  console.log(`\n### ${count} streams that nobody reads, on 4 connections: KiB for each\n`);
  console.log(
    "| window | messages of | client: heap | buffers | together | limit | server: heap | buffers | sent |",
  );
  console.log("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const windowKib of isQuick ? [256] : [256, 1024]) {
    for (const sizeKib of [1, 64]) {
      const settings = { windowBytes: windowKib * kib };
      await withPair({ stack: "agentwire", variant: "promise", settings }, async (pair) => {
        await pair.client.request({ op: "connect", count: 4 }, slowMs);
        // the first ones make the engine compile what they need
        await pair.client.request({ op: "paused", count: warmUpCount, size: sizeKib * kib }, slowMs);
        await settled(isQuick ? 200 : 1000);
        const floodedBefore = await pair.server.request({ op: "flooded" });
        const before = await pair.used();
        await pair.client.request({ op: "paused", count, size: sizeKib * kib }, slowMs);
        await settled(isQuick ? 200 : 1000);
        const after = await pair.used();
        await pair.snapshot(`paused-${windowKib}-${sizeKib}`);
        const { bytes } = await pair.server.request({ op: "flooded" });
        const client = cost(before.client, after.client, count);
        const server = cost(before.server, after.server, count);
        const cells = [client.heap, client.buffers, client.heap + client.buffers, windowKib + 64];
        const more = [server.heap, server.buffers, (bytes - floodedBefore.bytes) / count / kib];
        const figures = [...cells, ...more].map((figure) => figure.toFixed(1)).join(" | ");
        console.log(`| ${windowKib} KiB | ${sizeKib} KiB | ${figures} |`);
      });
    }
  }
}

async function agents() {
  console.log(`\n### ${agentCount} agents on one process, from ${agentProcesses} processes\n`);
  console.log(
    "| server | all connected in | calls meanwhile: number, p50, p99, longest | a call of each | KiB for each: heap | buffers | resident | calls then: p50, p99 |",
  );
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const variant of ["promise", "plane"]) await agentsOf(variant);
}

/** @param {string} variant */
async function agentsOf(variant) {
  const isAgent = variant === "plane";
  const { server, port, tokens } = await startServer({
    stack: "agentwire",
    variant,
    settings: { tokens: agentCount + 60 },
  });
  const client = () => startClient({ stack: "agentwire", port });
  // those that dial first load what all need, and go on calling
  const caller = await client();
  await caller.request({ op: "connect", count: 50, tokens: tokens.splice(0, 50) }, slowMs);
  await caller.request({ op: "calls", ms: isQuick ? 50 : 1000, isAgent }, slowMs);
  const dialling = await Promise.all(Array.from({ length: agentProcesses }, client));
  const before = await server.request({ op: "used" });
  const count = Math.ceil(agentCount / agentProcesses);
  const begin = performance.now();
  const dials = dialling.map((child) =>
    child.request({ op: "connect", count, tokens: tokens.splice(0, count) }, slowMs),
  );
  let isConnected = false;
  const connected = Promise.all(dials).then(() => {
    isConnected = true;
    return performance.now() - begin;
  });
  const meanwhile = [];
  while (!isConnected) meanwhile.push(await caller.request({ op: "calls", ms: 250, isAgent }, slowMs));
  const connectedMs = await connected;
  const all = await Promise.all(dialling.map((child) => child.request({ op: "callAll", isAgent }, slowMs)));
  if (values.idle) await settled(70_000);
  const after = await server.request({ op: "used" }, slowMs);
  const then = await caller.request({ op: "calls", ms: isQuick ? 50 : 2000, isAgent }, slowMs);
  if (values.snapshots !== undefined)
    await server.request(
      { op: "snapshot", file: `${values.snapshots}/agents-${variant}.heapsnapshot` },
      slowMs,
    );
  const { heap, buffers, rss } = cost(before, after, count * agentProcesses);
  const calls = meanwhile.reduce((sum, one) => sum + one.calls, 0);
  const most = (/** @type {string} */ name) => Math.max(...meanwhile.map((one) => one[name])).toFixed(1);
  const cells = [
    isAgent ? "`startControlPlane`, store in memory" : "`attachRpc`",
    `${(connectedMs / 1000).toFixed(1)} s`,
    `${calls}, ${most("p50Ms")}, ${most("p99Ms")}, ${most("maxMs")} ms`,
    `${(Math.max(...all.map(({ ms }) => ms)) / 1000).toFixed(2)} s`,
    ...[heap, buffers, rss].map((kib) => kib.toFixed(1)),
    `${then.p50Ms.toFixed(2)}, ${then.p99Ms.toFixed(2)} ms`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
  await Promise.all([...dialling, caller, server].map((child) => child.end()));
}

/**
 * @param {object} what
 * @param {(pair: any) => Promise<void>} use
 */
async function withPair(what, use) {
  const { server, port } = await startServer(what);
  const client = await startClient({ ...what, port });
  const pair = {
    server,
    client,
    async used() {
      return {
        server: await server.request({ op: "used" }, slowMs),
        client: await client.request({ op: "used" }, slowMs),
      };
    },
    async snapshot(/** @type {string} */ name) {
      if (values.snapshots === undefined) return;
      for (const [end, child] of Object.entries({ server, client })) {
        await child.request(
          { op: "snapshot", file: `${values.snapshots}/${name}-${end}.heapsnapshot` },
          slowMs,
        );
      }
    },
  };
  try {
    await use(pair);
  } finally {
    await Promise.all([client.end(), server.end()]);
  }
}

/** @param {{ stack: string, variant?: string, settings?: object }} what */
async function startServer(what) {
  const server = child("server.mjs", what);
  const { port, tokens } = await server.next(slowMs);
  return { server, port, tokens };
}

/** @param {{ stack: string, port: number, settings?: object }} what */
async function startClient(what) {
  const client = child("client.mjs", what);
  await client.next();
  return client;
}

/**
 * @param {string} file
 * @param {{ stack: string, variant?: string }} what
 */
function child(file, what) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const args = ["--expose-gc", path, JSON.stringify(what)];
  return new Child({ command: process.execPath, args }, `${what.stack}'s ${file}`);
}

function samples() {
  return /** @type {{ heap: number, buffers: number }[]} */ ([]);
}

function add(list, before, after, count) {
  list.push(cost(before, after, count));
}

/** In KiB for each. */
function cost(before, after, count) {
  const each = (/** @type {string} */ name) => (after[name] - before[name]) / count / 1024;
  return { heap: each("heap"), buffers: each("buffers"), rss: each("rss") };
}

function table(title, rows) {
  console.log(`\n### ${title}\n`);
  console.log("| | client: heap | buffers | server: heap | buffers |");
  console.log("| --- | ---: | ---: | ---: | ---: |");
  for (const { stack, variant, client, server } of rows) {
    const cells = [client, server].flatMap((list) => ["heap", "buffers"].map((name) => median(list, name)));
    console.log(`| ${stack}${variant ? ` (${variant})` : ""} | ${cells.join(" | ")} |`);
  }
}

function median(list, name) {
  const sorted = list.map((one) => one[name]).sort((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)] ?? 0).toFixed(2);
}
