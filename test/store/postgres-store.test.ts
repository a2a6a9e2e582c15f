import { Pool } from "pg";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { blankAgent, type ControlPlaneStore } from "../../src/store/index.js";
import { openPostgresStore } from "../../src/store/sql/index.js";
import { startPostgres } from "../support/postgres.js";
import { storeCompliance } from "./compliance.js";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

/** The URL of a new, empty database. */
async function emptyDatabase(): Promise<string> {
  if (postgres === undefined) throw new Error("PostgreSQL is not installed");
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const pool = new Pool({ connectionString: postgres.url });
  await pool.query(`create database ${name}`);
  await pool.end();
  return postgres.url.replace(/[^/]*$/, name);
}

async function opened(url: string): Promise<ControlPlaneStore> {
  const store = await openPostgresStore(url);
  onTestFinished(() => store.close());
  return store;
}

const lab = { owner: "ada", name: "lab", agents: [{ name: "main" }] };
const line = (output: string) => ({ level: "info" as const, output });

describe.skipIf(postgres === undefined)("with PostgreSQL", () => {
  storeCompliance("the store in PostgreSQL", async () => openPostgresStore(await emptyDatabase()));

  describe("two servers on one database", () => {
    it("open it at the same time, and one of them makes its tables", async () => {
      const url = await emptyDatabase();
      const stores = await Promise.all([opened(url), opened(url), opened(url)]);
      for (const store of stores) expect(await store.workspaces()).toEqual([]);
    });

    it("see at once what the other has written", async () => {
      const url = await emptyDatabase();
      const [one, two] = await Promise.all([opened(url), opened(url)]);
      const [defined] = await one.define([lab]);
      const id = defined?.id ?? "";
      expect(await two.agentByToken(defined?.token ?? "")).toMatchObject({ id });
      await two.deleteAgent(id);
      expect(await one.agentByToken(defined?.token ?? "")).toBeUndefined();
    });

    it("declare the same at the same time, and it is there once", async () => {
      const url = await emptyDatabase();
      const stores = await Promise.all([opened(url), opened(url)]);
      const both = await Promise.all(stores.map((store) => store.define([lab])));
      expect(both[0]).toEqual(both[1]);
    });

    it("write lines of one agent: who follows the log misses none", async () => {
      const url = await emptyDatabase();
      const [one, two] = await Promise.all([opened(url), opened(url)]);
      const [defined] = await one.define([lab]);
      const id = defined?.id ?? "";
      const writing = Array.from({ length: 60 }, (_, i) =>
        (i % 2 === 0 ? one : two).insertLogs(id, "s", i, [line(`${i}a`), line(`${i}b`)]),
      );
      const written = Promise.all(writing);
      let isWriting = true;
      void written.finally(() => {
        isWriting = false;
      });
      const seen: number[] = [];
      while (isWriting) seen.push(...(await two.logs(id, seen.at(-1) ?? 0, 1000)).map((row) => row.id));
      await written;
      seen.push(...(await one.logs(id, seen.at(-1) ?? 0, 1000)).map((row) => row.id));
      expect(seen).toEqual((await one.logs(id, 0, 1000)).map((row) => row.id));
      expect(seen).toHaveLength(120);
    });

    it("update the same agents in different orders, and none is stuck", async () => {
      const url = await emptyDatabase();
      const [one, two] = await Promise.all([opened(url), opened(url)]);
      const metadata = [{ key: "k", script: "", intervalSeconds: 1 }];
      const agents = Array.from({ length: 20 }, (_, i) => ({ name: `a${i}`, metadata }));
      const ids = (await one.define([{ ...lab, agents }])).map(({ id }) => id);
      const values = ids.map((agentId) => ({ agentId, key: "k", value: "v", error: "", collectedAtUs: 1 }));
      const rounds = Array.from({ length: 20 }, (_, i) => [
        one.updateMetadata(values),
        two.updateMetadata([...values].reverse()),
        i % 5 === 0
          ? two.define([{ ...lab, agents: agents.map((agent) => ({ ...agent, directory: `/${i}` })) }])
          : undefined,
      ]);
      await Promise.all(rounds.flat());
      expect((await one.manifestRecords(ids[7] ?? "")).metadata).toMatchObject([{ value: "v" }]);
    });

    it("an agent that is being deleted gets no more agents of its own", async () => {
      const url = await emptyDatabase();
      const [one, two] = await Promise.all([opened(url), opened(url)]);
      for (let i = 0; i < 20; i++) {
        const [defined] = await one.define([{ ...lab, name: `lab${i}` }]);
        const parent = await one.agent(defined?.id ?? "");
        const { workspaceId = "", buildId = "", id: parentId } = parent ?? {};
        const child = { ...blankAgent(), workspaceId, buildId, parentId, name: "child" };
        await Promise.all([one.insertSubAgent(child), two.deleteAgent(parentId ?? "")]);
        expect(await two.agentByToken(child.authToken)).toBeUndefined();
      }
    });
  });

  it("a server that is not there gives one sentence, without the password", async () => {
    const error = await openPostgresStore("postgres://ada:geheim@127.0.0.1:1/none").catch(String);
    expect(error).toContain("ECONNREFUSED");
    expect(error).not.toContain("geheim");
    await expect(openPostgresStore("mysql://x")).rejects.toThrow("must begin with postgres://");
  });
});
