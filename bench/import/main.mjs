#!/usr/bin/env node
// How long the client takes to import, against the libraries that it stands on. See ../README.md.
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { spreadOf } from "../report/statistics.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "25" } } });
const rounds = Number(values.rounds);
const program = fileURLToPath(new URL("../processes/import.mjs", import.meta.url));

/** The first is what the others are compared with. */
const candidates = [
  ["@connectrpc/connect", "ws"],
  ["agentwire/client"],
  ["agentwire/client/agent"],
  ["agentwire/client", "ws"],
];

/** @type {number[][]} */
const samples = candidates.map(() => []);
// the first round finds the files in no cache
for (let round = -1; round < rounds; round++) {
  for (let turn = 0; turn < candidates.length; turn++) {
    const which = (turn + Math.max(round, 0)) % candidates.length;
    const { ms } = JSON.parse(
      execFileSync(process.execPath, [program, ...(candidates[which] ?? [])], { encoding: "utf8" }),
    );
    if (round >= 0) samples[which]?.push(ms);
  }
}

const [base = []] = samples;
const lines = candidates.map((libraries, which) => {
  const own = samples[which] ?? [];
  const ratios = own.map((ms, round) => ms / (base[round] ?? Number.NaN));
  return `| ${libraries.join(" + ")} | ${spreadOf(own)?.median.toFixed(0)} | ${spreadOf(ratios)?.median.toFixed(2)} |`;
});
process.stdout.write(
  [
    `Medians of ${rounds} processes each, in turns; ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`,
    "",
    "| import | ms | ratio |",
    "| --- | --: | --: |",
    ...lines,
    "",
  ].join("\n"),
);
