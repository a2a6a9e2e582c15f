import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import type { ControlPlaneStore } from "../../src/store/index.js";
import { openEmbeddedStore, openPostgresStore } from "../../src/store/sql/index.js";
import { startPostgres } from "../support/postgres.js";
import { buildStore } from "./built-store.js";

const built = await buildStore();
const postgres = await startPostgres({ durable: true });
afterAll(async () => {
  built.remove();
  await postgres?.stop();
});

/** Writes for ever, from several places at once, and prints what has been answered. */
const writer = `
  const [url, open, where] = process.argv.slice(1);
  const store = await (await import(url))[open](where);
  const [{ id }] = await store.define([{ owner: "ada", name: "lab", agents: [{ name: "main" }] }]);
  let version = 0n;
  const places = [0, 1, 2, 3].map(async (place) => {
    for (let i = 0; ; i++) {
      const output = place + "/" + i;
      await store.insertLogs(id, "s", i, [{ level: "info", output }, { level: "info", output: output + "+" }]);
      console.log("line " + output);
      if (place > 0) continue;
      await store.updateLifecycle(id, { state: "ready", startedAtUs: i, readyAtUs: i });
      console.log("ready " + i);
      const context = { agentId: id, version: ++version, snapshotError: "", receivedAtUs: i, resources: [] };
      await store.replaceContext({ ...context, aggregateHash: new Uint8Array() }, false);
      console.log("context " + version);
    }
  });
  await Promise.all(places);
`;

/** What a writing process was answered before it was killed. */
async function answeredUntilKilled(open: string, where: string): Promise<string[]> {
  const args = ["--input-type=module", "--eval", writer, built.esm, open, where];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const answered: string[] = [];
  for await (const said of createInterface({ input: child.stdout })) {
    answered.push(said);
    // in the middle of many writes; what it has said already is still read
    if (answered.length === 1000) child.kill("SIGKILL");
  }
  const [, signal] = await exited;
  expect(signal).toBe("SIGKILL");
  return answered;
}

async function expectAll(store: ControlPlaneStore, answered: readonly string[]): Promise<void> {
  const [workspace] = await store.workspaces();
  const [agent] = await store.agents(workspace?.id ?? "");
  const outputs = new Set((await store.logs(agent?.id ?? "", 0, 1_000_000)).map(({ output }) => output));
  const said = (what: string) =>
    answered.filter((each) => each.startsWith(`${what} `)).map((each) => each.slice(what.length + 1));
  const lines = said("line");
  expect(lines.length).toBeGreaterThan(100);
  expect(lines.filter((line) => !outputs.has(line))).toEqual([]);
  // all lines of a batch, or none
  const whole = [...outputs].filter((line) => !line.endsWith("+") && !outputs.has(`${line}+`));
  expect(whole).toEqual([]);
  expect(agent?.readyAtUs ?? -1).toBeGreaterThanOrEqual(Number(said("ready").at(-1)));
  const context = await store.context(agent?.id ?? "");
  expect(context?.version ?? 0n).toBeGreaterThanOrEqual(BigInt(said("context").at(-1) ?? 0));
}

describe("a server that is killed while it writes (S9.3)", () => {
  it("the embedded store has everything that was answered, and goes on", async () => {
    const folder = mkdtempSync(join(tmpdir(), "agentwire-killed-"));
    try {
      for (let round = 1; round <= 2; round++) {
        const answered = await answeredUntilKilled("openEmbeddedStore", folder);
        const store = await openEmbeddedStore(folder);
        try {
          await expectAll(store, answered);
          await store.deleteWorkspace((await store.workspaces())[0]?.id ?? "");
        } finally {
          await store.close();
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(postgres === undefined)("the store in PostgreSQL has everything that was answered", async () => {
    const url = postgres?.url ?? "";
    const answered = await answeredUntilKilled("openPostgresStore", url);
    const store = await openPostgresStore(url);
    try {
      await expectAll(store, answered);
    } finally {
      await store.close();
    }
  });
});

describe("the package as it is built", () => {
  it.each(["esm", "cjs"] as const)(
    "opens the embedded store as %s, and an open store keeps no process",
    (kind) => {
      const folder = mkdtempSync(join(tmpdir(), "agentwire-opened-"));
      const load =
        kind === "esm"
          ? `import(${JSON.stringify(built.esm)})`
          : `Promise.resolve(require(${JSON.stringify(built.cjs)}))`;
      const program = `${load}.then(async ({ openEmbeddedStore }) => {
      const store = await openEmbeddedStore(${JSON.stringify(folder)});
      console.log(JSON.stringify(await store.define([{ owner: "ada", name: "lab", agents: [{ name: "main" }] }])));
    })`;
      try {
        const args = kind === "esm" ? ["--input-type=module", "--eval", program] : ["--eval", program];
        const said = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 15_000 });
        expect(JSON.parse(said)).toMatchObject([{ workspace: "lab", agent: "main" }]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
