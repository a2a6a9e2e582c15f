#!/usr/bin/env node
// Whether a call costs the same however many there are, and whether small calls wait for large ones. See README.md.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Child, endAll } from "../runner/child.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    parts: { type: "string", default: "callers,million,beside" },
    rounds: { type: "string" },
    calls: { type: "string" },
  },
});
const { quick: isQuick } = values;
const rounds = Number(values.rounds ?? (isQuick ? 1 : 5));
const longMs = 180_000;
/** As much as fits in the largest message that is taken by default, with the field and its length. */
const largeBytes = 4 * 1024 * 1024 - 64;

const parts = { callers, million, beside };
try {
  for (const name of values.parts.split(",")) {
    if (parts[name] === undefined)
      throw new Error(`no part is called ${name}; there are ${Object.keys(parts).join(", ")}`);
    await withPair(parts[name]);
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await endAll();
}

/** The cost of a call by how many are under way. */
async function callers(pair) {
  const counts = [1, 10, 100, 1000, 10_000];
  const calls = Number(values.calls ?? (isQuick ? 200 : 40_000));
  const rows = counts.map((count) => ({ count, cpu: [], perS: [], p50: [], p99: [] }));
  await pair.client.request({ op: "calls", calls: isQuick ? 200 : 60_000, callers: 100 }, longMs);
  for (let round = 0; round < rounds; round++) {
    for (const { count, cpu, perS, p50, p99 } of rows) {
      const before = await pair.cpu();
      const result = await pair.client.request(
        { op: "calls", calls: Math.max(calls, count), callers: count },
        longMs,
      );
      const after = await pair.cpu();
      cpu.push((1000 * (after - before)) / Math.max(calls, count));
      perS.push(result.perS);
      p50.push(result.p50Ms);
      p99.push(result.p99Ms);
    }
  }
  console.log("\n### Calls under way at a time\n");
  console.log("| calls at a time | processor time of both ends for each, µs | calls/s | p50 ms | p99 ms |");
  console.log("| ---: | ---: | ---: | ---: | ---: |");
  for (const { count, cpu, perS, p50, p99 } of rows) {
    console.log(
      `| ${count} | ${median(cpu).toFixed(1)} | ${median(perS).toFixed(0)} | ${median(p50).toFixed(2)} | ${median(p99).toFixed(2)} |`,
    );
  }
}

/** The first calls of a session against those much later. */
async function million(pair) {
  const block = isQuick ? 100 : 10_000;
  const blocks = Number(values.calls ?? (isQuick ? 1000 : 1_000_000)) / block;
  const shown = [0, 1, 9, 49, 99].filter((i) => i < blocks);
  console.log(`\n### ${blocks * block} calls on one session, 100 at a time\n`);
  console.log("| calls | processor time of both ends for each, µs | client's heap, MB | server's heap, MB |");
  console.log("| --- | ---: | ---: | ---: |");
  for (let i = 0; i < blocks; i++) {
    const isShown = shown.includes(i);
    const before = isShown ? await pair.cpu() : 0;
    await pair.client.request({ op: "calls", calls: block, callers: 100 }, longMs);
    if (!isShown) continue;
    const us = (1000 * ((await pair.cpu()) - before)) / block;
    const heaps = await Promise.all(
      [pair.client, pair.server].map((end) => end.request({ op: "used" }, longMs)),
    );
    const cells = [us.toFixed(1), ...heaps.map(({ heap, buffers }) => ((heap + buffers) / 1e6).toFixed(2))];
    console.log(`| ${i * block + 1} to ${(i + 1) * block} | ${cells.join(" | ")} |`);
  }
}

/** Small calls alone, and while large messages go both ways on the same session. */
async function beside(pair) {
  const size = isQuick ? 256 * 1024 : largeBytes;
  const many = isQuick ? 100 : 8000;
  const cases = [
    {
      name: "one call of 4 MiB, answered with 4 MiB",
      op: "behind",
      calls: isQuick ? 100 : 1000,
      isOnce: true,
    },
    { name: "such calls, one after the other", op: "beside", calls: many, callers: 16, kinds: ["unary"] },
    { name: "two of them at a time", op: "beside", calls: many, callers: 16, kinds: ["unary", "unary"] },
    { name: "streams of 4 MiB messages", op: "beside", calls: many, callers: 16, kinds: ["stream"] },
    { name: "such calls, one after the other", op: "beside", calls: many, callers: 1, kinds: ["unary"] },
  ];
  console.log(
    `\n### Small calls beside messages of ${(size / 1024 / 1024).toFixed(2)} MiB on the same session\n`,
  );
  console.log(
    "| beside | small calls, at a time | p50 alone, ms | p50 | p99 alone, ms | p99 | ratio of p99, median (least, greatest) | large MB/s |",
  );
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
  await pair.client.request({ op: "calls", calls: isQuick ? 100 : 40_000, callers: 16 }, longMs);
  for (const { name, op, calls, callers = calls, kinds, isOnce } of cases) {
    const alone = [];
    const beside = [];
    // short ones are made more often
    for (let round = 0; round < (isOnce ? 4 * rounds : rounds); round++) {
      alone.push(await pair.client.request({ op: "calls", calls, callers }, longMs));
      beside.push(await pair.client.request({ op, calls, callers, kinds, size }, longMs));
    }
    const of = (list, figure) => median(list.map((one) => one[figure])).toFixed(2);
    const ratios = beside.map(({ p99Ms }, i) => p99Ms / alone[i].p99Ms).sort((a, b) => a - b);
    const shown = [median(ratios), ratios[0], ratios.at(-1)].map((ratio) => ratio.toFixed(1));
    const cells = [of(alone, "p50Ms"), of(beside, "p50Ms"), of(alone, "p99Ms"), of(beside, "p99Ms")];
    const large = isOnce ? "" : median(beside.map(({ largeMbPerS }) => largeMbPerS)).toFixed(0);
    const ratio = `${shown[0]} (${shown[1]}, ${shown[2]})`;
    console.log(`| ${name} | ${calls}, ${callers} | ${cells.join(" | ")} | ${ratio} | ${large} |`);
  }
}

async function withPair(use) {
  const server = child("server.mjs");
  const { port } = await server.next();
  const client = child("client.mjs", String(port));
  await client.next();
  const cpu = async () => {
    const both = await Promise.all([client, server].map((end) => end.request({ op: "cpu" })));
    return both.reduce((sum, { ms }) => sum + ms, 0);
  };
  await use({ server, client, cpu });
  await Promise.all([client.end(), server.end()]);
}

function child(file, ...args) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return new Child({ command: process.execPath, args: ["--expose-gc", path, ...args] }, file);
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
