#!/usr/bin/env node
// How many events a second go from some processes to another, over each engine. See README.md.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { cells, engines } from "./cells.mjs";
import { endAll, measure } from "./measure.mjs";
import { startServers } from "./servers.mjs";
import { markdown } from "./table.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    engines: { type: "string", default: Object.keys(engines).join() },
  },
});
const seconds = values.quick ? 0.5 : Number(values.seconds);
const rounds = values.quick ? 1 : Number(values.rounds);
const chosen = values.engines.split(",");

const servers = await startServers();
/** @type {import("./measure.mjs").Sample[]} */
const samples = [];
try {
  for (let round = 0; round < rounds; round++) {
    for (const cell of cells) {
      for (const engine of cell.publishers === 0 ? ["none"] : chosen) {
        const sample = await measure({ engine, cell, seconds, servers });
        samples.push({ round, ...sample });
        console.error(
          `bench: round ${round + 1}, ${cell.name}, ${engine}: ${JSON.stringify(sample.figures)}`,
        );
      }
    }
  }
} finally {
  await endAll();
  await servers.stop();
}
const [cpu] = cpus();
process.stdout.write(
  markdown({
    samples,
    chosen,
    facts: `${cpus().length} × ${cpu?.model}, Node ${process.version}`,
    seconds,
    rounds,
  }),
);
if (samples.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
