#!/usr/bin/env node
// A thousand agents on one control plane, each doing what an agent does, at its rates: see README.md.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "1000" },
    seconds: { type: "string", default: "300" },
    database: { type: "string", default: "" },
  },
});
const agents = Number(values.agents);
const seconds = Number(values.seconds);
const folder = mkdtempSync(join(tmpdir(), "agentwire-load-"));
const database = values.database === "" ? join(folder, "data") : values.database;

const children = [];
try {
  const server = start("server.mjs", [JSON.stringify({ agents, database })]);
  const { url, tokens } = await next(server);
  const idleMb = memoryMb(server.process.pid);
  const clients = start("agents.mjs", [JSON.stringify({ url, seconds })]);
  clients.process.stdin.end(JSON.stringify(tokens));
  const { connectedInMs } = await next(clients);
  const connectedMb = memoryMb(server.process.pid);
  const before = cpuSeconds(server.process.pid);
  const begin = performance.now();
  const result = await next(clients);
  const elapsedS = (performance.now() - begin) / 1000;
  const cpu = cpuSeconds(server.process.pid) - before;
  const statements = await ask(server);
  report({
    idleMb,
    connectedMb,
    endMb: memoryMb(server.process.pid),
    cpu,
    elapsedS,
    connectedInMs,
    statements,
    ...result,
  });
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => (child.exitCode === null ? once(child, "exit") : undefined)));
  rmSync(folder, { recursive: true, force: true });
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function start(program, args) {
  const child = spawn(process.execPath, [here(program), ...args], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, lines };
}

/** @param {ReturnType<typeof start>} child */
async function next(child) {
  const { value, done } = await child.lines.next();
  if (done) throw new Error("a process ended before it was done");
  return JSON.parse(value);
}

/** @param {ReturnType<typeof start>} child */
async function ask(child) {
  child.process.stdin.write("\n");
  return (await next(child)).statements;
}

/** @param {number | undefined} pid */
function memoryMb(pid) {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb) / 1024;
}

/** @param {number | undefined} pid */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** @param {Record<string, number>} r */
function report(r) {
  const perAgentKb = ((r.connectedMb - r.idleMb) * 1024) / agents;
  const rows = [
    ["agents, seconds", `${agents}, ${r.elapsedS.toFixed(0)}`],
    ["all connected in", `${(r.connectedInMs / 1000).toFixed(1)} s`],
    [
      "server's memory before, connected, at the end",
      `${[r.idleMb, r.connectedMb, r.endMb].map((mb) => mb.toFixed(0)).join(", ")} MB`,
    ],
    ["memory for each agent", `${perAgentKb.toFixed(0)} KiB`],
    ["server's processor time", `${((100 * r.cpu) / r.elapsedS).toFixed(1)} % of one`],
    ["calls", `${r.calls}, ${(r.calls / r.elapsedS).toFixed(0)} a second; failed ${r.failed}`],
    ["first calls of all at once, the longest", `${r.firstMs.toFixed(0)} ms`],
    [
      "p50, p99, longest of a later call",
      `${r.p50Ms.toFixed(1)}, ${r.p99Ms.toFixed(1)}, ${r.maxMs.toFixed(0)} ms`,
    ],
    ["connections lost", `${r.lost}`],
    ["writes of the store a minute", `${((60 * r.statements) / r.elapsedS).toFixed(0)}`],
  ];
  for (const [name, value] of rows) console.log(`| ${name} | ${value} |`);
  if (r.failed > 0 || r.lost > 0) process.exitCode = 1;
}
