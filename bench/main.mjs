#!/usr/bin/env node
// Compares agentwire with other ways to make the same calls. See README.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseOptions, usage } from "./options.mjs";
import { node24, prepare } from "./prepare.mjs";
import { environment } from "./report/environment.mjs";
import { judge } from "./report/goals.mjs";
import { markdown } from "./report/markdown.mjs";
import { Summary } from "./report/summary.mjs";
import { endAll } from "./runner/child.mjs";
import { run } from "./runner/run.mjs";

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => endAll().then(() => process.exit(1)));
}

try {
  await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await endAll();
}

/** @param {import("./options.mjs").Options} options */
async function main(options) {
  if (options.wantsHelp) {
    process.stdout.write(usage);
    return;
  }
  prepare(options.candidates);
  const node = options.wantsNode24 ? node24() : (options.node ?? process.execPath);
  const { profileFolder, heapMb } = options;
  const nodeArgs = profileFolder === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profileFolder];
  if (heapMb > 0) {
    process.env.AGENTWIRE_BENCH_HEAP_MB = String(heapMb);
    nodeArgs.push("--import", new URL("processes/heap.mjs", import.meta.url).href);
  }
  const plan = {
    ...options,
    // the engine goes on to compile for some seconds
    warmUpSeconds: options.isQuick ? 0 : 2 * options.seconds,
    settings: { node, nodeArgs, isPinned: options.isPinned, heapMb },
    log,
  };
  const facts = environment(node);
  const results = await run(plan);
  const summary = new Summary(results.samples);
  const goals = options.isQuick ? [] : judge(summary);
  const { rounds, seconds, isPinned } = options;
  log(`written to ${save({ environment: facts, rounds, seconds, isPinned, heapMb, goals, ...results })}`);
  process.stdout.write(markdown({ plan, results, summary, goals, environment: facts }));
  if (results.failures.length > 0) process.exitCode = 1;
}

/**
 * @param {object} everything
 * @returns {string} the file
 */
function save(everything) {
  const folder = fileURLToPath(new URL("out/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}${new Date().toISOString().replaceAll(":", "")}.json`;
  writeFileSync(file, `${JSON.stringify(everything, undefined, 2)}\n`);
  return file;
}

/** @param {string} text */
function log(text) {
  console.error(`bench: ${text}`);
}
