// Compares engines for the embedded store, and checks the store's goals: node bench/store/engines.mjs
// Needs the packages libsql, kysely and tsdown; @electric-sql/pglite is measured where it is installed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const rounds = 300;
const output = "a line of a log, as long as lines of logs usually are: step 12 of 30";

/** Each runs in a process of its own, and gives how long things took in ms, and its memory in MB. */
const engines = {
  async libsql(folder) {
    const { default: Libsql } = await import("libsql");
    const start = performance.now();
    const database = new Libsql(join(folder, "libsql.db"));
    for (const pragma of ["journal_mode = wal", "synchronous = full"]) database.exec(`pragma ${pragma}`);
    database.exec(
      "create table if not exists lines (id integer primary key autoincrement, at bigint, output text)",
    );
    const startMs = performance.now() - start;
    const rows = (count) => Array(count).fill("(?, ?)").join(", ");
    const insert = (count) =>
      database.prepare(`insert into lines (at, output) values ${rows(count)} returning id`);
    const statements = { 1: insert(1), 100: insert(100) };
    const write = async (count) => statements[count].all(Array(count).fill([1n, output]).flat());
    return await figures(startMs, write, async () => database.close());
  },

  async pglite(folder) {
    const { PGlite } = await import("@electric-sql/pglite");
    const start = performance.now();
    const database = await PGlite.create(join(folder, "pglite"));
    await database.exec(
      "create table if not exists lines (id bigint generated always as identity primary key, at bigint, output text)",
    );
    const startMs = performance.now() - start;
    const rows = (count) =>
      Array.from({ length: count }, (_, i) => `($${2 * i + 1}, $${2 * i + 2})`).join(", ");
    const write = (count) =>
      database.query(
        `insert into lines (at, output) values ${rows(count)} returning id`,
        Array(count).fill([1, output]).flat(),
      );
    return await figures(startMs, write, () => database.close());
  },

  /** The store itself: with queries, its thread, and transactions. */
  async store(folder, built) {
    const start = performance.now();
    const { openEmbeddedStore } = await import(built);
    const store = await openEmbeddedStore(join(folder, "store"));
    const startMs = performance.now() - start;
    const names = Array.from({ length: rounds * 2 + 20 }, (_, i) => ({ name: `a${i}` }));
    const agents = await store.define([{ owner: "ada", name: "lab", agents: names }]);
    let next = 0;
    // an agent has a limit of its lines: each batch goes to another
    const write = (count) =>
      store.insertLogs(
        agents[next++ % agents.length].id,
        "s",
        1,
        Array(count).fill({ level: "info", output }),
      );
    return await figures(startMs, write, () => store.close());
  },
};

async function figures(startMs, write, close) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  const idleMb = process.memoryUsage().rss / 1e6;
  const linesMs = median(await timed(() => write(100)));
  const singleMs = median(await timed(() => write(1)));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < 100; i++) await Promise.all([write(100), pause()]);
  delay.disable();
  await close();
  // the monitor's own rhythm is 1 ms
  return { startMs, idleMb, linesMs, singleMs, loopDelayMs: Math.max(0, delay.percentile(99) / 1e6 - 1) };
}

async function timed(work) {
  const times = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times;
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function measureInProcess(engine, folder, built) {
  const args = [fileURLToPath(import.meta.url), engine, folder, built];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status === 0) return JSON.parse(stdout);
  console.log(`${engine}: not measured (${stderr.split("\n").find((each) => /Error/.test(each)) ?? status})`);
  return undefined;
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "agentwire-engines-"));
  try {
    const { build } = await import("tsdown");
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    await build({
      config: false,
      cwd: root,
      entry: { store: "src/store/sql/index.ts" },
      outDir: join(folder, "built"),
      deps: { skipNodeModulesBundle: true },
      dts: false,
      clean: false,
      report: false,
      logLevel: "error",
      outExtensions: () => ({ js: ".mjs" }),
    });
    const results = {};
    for (const engine of Object.keys(engines)) {
      const first = measureInProcess(engine, folder, join(folder, "built", "store.mjs"));
      const later = first && measureInProcess(engine, folder, join(folder, "built", "store.mjs"));
      if (later !== undefined) results[engine] = { firstMs: first.startMs, laterMs: later.startMs, ...later };
    }
    const round = (value) => Math.round(value * 100) / 100;
    const row = ({ startMs: _start, ...rest }) =>
      Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, round(value)]));
    console.table(Object.fromEntries(Object.entries(results).map(([name, result]) => [name, row(result)])));
    const { store } = results;
    const goals = [
      ["first start under 1 s", store?.firstMs < 1000],
      ["under 150 MB at idle", store?.idleMb < 150],
      ["100 lines stored in under 2 ms (median)", store?.linesMs < 2],
      ["event loop free: 99 of 100 delays under 5 ms", store?.loopDelayMs < 5],
    ];
    for (const [goal, isReached] of goals) console.log(`${isReached ? "reached" : "MISSED "}  ${goal}`);
    process.exitCode = goals.every(([, isReached]) => isReached) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [engine, folder, built] = process.argv.slice(2);
if (engine === undefined) await main();
else console.log(JSON.stringify(await engines[engine](folder, built)));
