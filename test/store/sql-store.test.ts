import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { ControlPlaneStore } from "../../src/store/index.js";
import { embeddedEngine } from "../../src/store/sql/embedded-engine.js";
import {
  type EmbeddedStoreOptions,
  openEmbeddedStore,
  openPostgresStore,
} from "../../src/store/sql/index.js";
import { createTables } from "../../src/store/sql/migrations/0001-tables.js";
import { SqlStore } from "../../src/store/sql/sql-store.js";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "agentwire-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function opened(folder: string, options: EmbeddedStoreOptions = {}): Promise<ControlPlaneStore> {
  const store = await openEmbeddedStore(folder, options);
  onTestFinished(() => store.close());
  return store;
}

/** Runs SQL on the database of a directory, as no store would. */
function tamper(folder: string, sql: string): void {
  const Libsql = createRequire(import.meta.url)("libsql");
  const database = new Libsql(join(folder, "agentwire.db"));
  database.exec(sql);
  database.close();
}

/** What is in the database of a directory. */
function rowsOf(folder: string, sql: string): unknown[] {
  const Libsql = createRequire(import.meta.url)("libsql");
  const database = new Libsql(join(folder, "agentwire.db"));
  const rows: unknown[] = database.prepare(sql).all();
  database.close();
  return rows;
}

const lab = { owner: "ada", name: "lab", agents: [{ name: "main", apps: [{ slug: "web" }] }] };

async function report(store: ControlPlaneStore, agentId: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const message = String(i);
    const status = { id: message, agentId, workspaceId: "", appId: "", state: "idle" as const, message };
    await store.insertAppStatus({ ...status, uri: undefined, createdAtUs: i });
    await store.insertTelemetry([{ id: message, agentId, receivedAtUs: i, event: i }]);
    const connection = { connectionId: message, workspaceId: "", agentId, agentName: "main", atUs: i };
    const nothing = { ip: undefined, statusCode: undefined, reason: undefined };
    await store.insertConnectionReports([{ ...connection, ...nothing, action: "connected", type: "ssh" }]);
  }
}

describe("an embedded store", () => {
  it("has everything when it is opened again", async () => {
    const folder = join(temporaryFolder(), "new", "deeper");
    const store = await openEmbeddedStore(folder);
    const [defined] = await store.define([lab]);
    const id = defined?.id ?? "";
    await store.insertLogs(id, "s", 1, [{ level: "warn", output: "x" }]);
    const all = async (from: ControlPlaneStore) => [
      await from.workspaces(),
      await from.agent(id),
      await from.manifestRecords(id),
      await from.logs(id, 0, 9),
    ];
    const before = await all(store);
    await store.close();
    expect(await all(await opened(folder))).toEqual(before);
  });

  it("tells the latest builds of many workspaces, and the agents of a build itself (S2.8, S3.38)", async () => {
    const store = await SqlStore.open(await embeddedEngine(temporaryFolder()));
    onTestFinished(() => store.close());
    await store.define([lab, { ...lab, name: "other" }]);
    const [one, other] = (await store.workspaces()).map(({ id }) => id);
    const build = await store.newBuild(one ?? "", { transition: "start" });
    const first = (await store.builds(other ?? ""))?.latest.id;
    expect(await store.latestBuildIds([one ?? "", other ?? "", "none", one ?? ""])).toEqual(
      new Map([
        [one, build.id],
        [other, first],
      ]),
    );
    expect(await store.latestBuildIds([])).toEqual(new Map());
    const [agent] = await store.buildAgents(build.id);
    if (agent === undefined) throw new Error("the agent is not there");
    const sub = { ...agent, id: "sub", parentId: agent.id, authToken: "sub", name: "sub" };
    await store.insertSubAgent(sub);
    expect(await store.buildAgents(build.id)).toEqual([agent]);
  });

  it("of the first version gets what later ones have, and keeps what it has", async () => {
    const folder = temporaryFolder();
    const store = await openEmbeddedStore(folder);
    await store.define([lab]);
    await store.close();
    tamper(folder, "drop table signing_keys; delete from agentwire_migrations where version > 1");
    const again = await opened(folder);
    expect(await again.workspaces()).toMatchObject([{ name: "lab" }]);
    expect(await again.signingKeys("any")).toEqual([]);
  });

  it("is for its user alone", async () => {
    const folder = join(temporaryFolder(), "data");
    await opened(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it("can be open twice: what one writes, the other sees", async () => {
    const folder = temporaryFolder();
    const [one, two] = await Promise.all([opened(folder), opened(folder)]);
    const [defined] = await one.define([lab]);
    const id = defined?.id ?? "";
    const line = { level: "info" as const, output: "x" };
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? one : two).insertLogs(id, "s", i, [line])),
    );
    expect(await two.logs(id, 0, 100)).toHaveLength(20);
    expect((await one.agent(id))?.logsLength).toBe(20);
  });

  it("says so when a call comes after its end", async () => {
    const store = await openEmbeddedStore(temporaryFolder());
    const late = store.workspaces();
    await store.close();
    await store.close();
    expect(await late).toEqual([]);
    await expect(store.workspaces()).rejects.toThrow(/^the store is closed$/);
  });

  it("refuses the database of a newer version", async () => {
    const folder = temporaryFolder();
    await (await openEmbeddedStore(folder)).close();
    tamper(folder, "insert into agentwire_migrations (version, applied_at_us) values (99, 0)");
    await expect(openEmbeddedStore(folder)).rejects.toThrow(
      /^the database is of version 99, this program knows \d+: use a newer program, or another database$/,
    );
  });

  it("brings the database of an older version up to date, and keeps what is in it", async () => {
    const folder = temporaryFolder();
    const types = { text: "text", bytes: "blob", counter: "integer primary key autoincrement" };
    tamper(folder, createTables(types).join(";\n"));
    tamper(
      folder,
      `create table agentwire_migrations (version integer primary key, applied_at_us bigint not null);
      insert into agentwire_migrations (version, applied_at_us) values (1, 0);
      insert into agents values ('a', 'w', 'b', null, 'main', 't', null, '', '', '', '{}', '', '[]', 1, '', '', 0, '', '',
        '', '[]', 'created', null, null, null, null, null, null, 0, 0, 0)`,
    );
    const older = { agentId: "a", receivedAtUs: 7, event: { text: "x" } };
    for (const id of ["first", "second"])
      tamper(
        folder,
        `insert into telemetry (id, agent_id, received_at_us, event) values ('${id}', 'a', 7, '{"text":"x"}')`,
      );
    const store = await opened(folder);
    await store.insertTelemetry([{ id: "third", ...older, userId: "u", peerId: "p" }]);
    expect((await store.reports("a", 9)).telemetry).toEqual([
      { id: "first", ...older },
      { id: "second", ...older },
      { id: "third", ...older, userId: "u", peerId: "p" },
    ]);
  });

  it("refuses a file that is no database, and a directory that is none", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "agentwire.db"), "hello ".repeat(1000));
    const said = `the database in ${folder} cannot be opened (SQLITE_NOTADB)`;
    await expect(openEmbeddedStore(folder)).rejects.toThrow(said);
    await expect(openEmbeddedStore(join(folder, "agentwire.db"))).rejects.toThrow(
      "cannot be opened (EEXIST)",
    );
  });

  it("gives errors of the database a short text, and the database's as their cause", async () => {
    const folder = temporaryFolder();
    const store = await opened(folder);
    tamper(folder, "drop table telemetry");
    const error = await store.reports("x", 1).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: "the database could not read reports (SQLITE_ERROR)" });
    expect(String((error as Error).cause)).toContain("no such table: telemetry");
    expect(await store.workspaces()).toEqual([]);
  });

  it("refuses a value that the database cannot keep, and goes on", async () => {
    const store = await opened(temporaryFolder());
    const [defined] = await store.define([lab]);
    const id = defined?.id ?? "";
    for (const atUs of [true, 2n ** 64n, () => 1]) {
      const wrong = { id: "x", agentId: id, receivedAtUs: atUs as unknown as number, event: 1 };
      await expect(store.insertTelemetry([wrong])).rejects.toThrow("the database could not store reports");
    }
    expect((await store.reports(id, 9)).telemetry).toEqual([]);
  });

  it("undoes a transaction that fails in the middle, and goes on", async () => {
    const folder = temporaryFolder();
    const store = await opened(folder);
    const [defined] = await store.define([lab]);
    const id = defined?.id ?? "";
    tamper(folder, "create trigger broken before insert on logs begin select raise(abort, 'no'); end");
    const line = { level: "info" as const, output: "x" };
    await expect(store.insertLogs(id, "s", 1, [line])).rejects.toThrow(
      "the database could not store log lines",
    );
    expect((await store.agent(id))?.logsLength).toBe(0);
    tamper(folder, "drop trigger broken");
    expect(await store.insertLogs(id, "s", 1, [line])).toMatchObject({ wereFirst: true });
  });
});

describe("histories in a database", () => {
  const retention = { keptEntries: 5, keptConnections: 3 };

  it("are cut when it is opened", async () => {
    const folder = temporaryFolder();
    const store = await openEmbeddedStore(folder, { retention });
    const [main, other] = await store.define([{ ...lab, agents: [...lab.agents, { name: "other" }] }]);
    const id = main?.id ?? "";
    await report(store, id, 12);
    await report(store, other?.id ?? "", 2);
    expect(await store.appStatuses({ agentId: id }, 100)).toHaveLength(12);
    await store.close();
    const again = await opened(folder, { retention });
    await vi.waitFor(async () => expect(await again.connectionLog({ limit: 100 })).toHaveLength(3), 5000);
    const statuses = await again.appStatuses({ agentId: id }, 100);
    expect(statuses.map(({ message }) => message)).toEqual(["11", "10", "9", "8", "7"]);
    expect((await again.reports(id, 100)).telemetry.map(({ event }) => event)).toEqual([7, 8, 9, 10, 11]);
    expect(await again.appStatuses({ agentId: other?.id ?? "" }, 100)).toHaveLength(2);
  });

  it("telemetry of no agent is cut too", async () => {
    const folder = temporaryFolder();
    const store = await openEmbeddedStore(folder, { retention });
    const ofUser = { agentId: undefined, userId: "u", peerId: "p", event: {} };
    for (let i = 0; i < 12; i++) await store.insertTelemetry([{ ...ofUser, id: String(i), receivedAtUs: i }]);
    await store.close();
    await opened(folder, { retention });
    const kept = () => rowsOf(folder, "select id from telemetry order by entry");
    const wanted = ["7", "8", "9", "10", "11"].map((id) => ({ id }));
    await vi.waitFor(() => expect(kept()).toEqual(wanted), 5000);
  });

  it("are cut from time to time while it is open", async () => {
    const store = await opened(temporaryFolder(), { retention: { ...retention, intervalMs: 20 } });
    const [main] = await store.define([lab]);
    const id = main?.id ?? "";
    await report(store, id, 12);
    await vi.waitFor(async () => expect(await store.appStatuses({ agentId: id }, 100)).toHaveLength(5), 5000);
  });
});

describe("a package that is not installed", () => {
  it("is named, with the command that installs it", async () => {
    vi.doMock("pg", () => {
      throw new Error("Cannot find package 'pg'");
    });
    onTestFinished(() => vi.doUnmock("pg"));
    await expect(openPostgresStore("postgres://127.0.0.1/none")).rejects.toThrow(
      /^PostgreSQL needs the package pg: install it with "npm install pg"$/,
    );
  });
});
