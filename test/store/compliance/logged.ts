import { describe, expect, it } from "vitest";
import { type ConnectionReport, maxLogsLength, StoreConflict } from "../../../src/store/index.js";
import { atUs, awkward, contextOf, line, nobody, type Subject, sessionId, sourceId } from "./fixtures.js";

/** Logs, scripts and connections. */
export function loggedThings({ name, emptyStore, definedStore }: Subject): void {
  describe(`${name}: logs and scripts`, () => {
    it("ids grow, and lines are read in pages", async () => {
      const { store, id } = await definedStore();
      const first = await store.insertLogs(id, sourceId, atUs, [line("a"), line(awkward)]);
      const second = await store.insertLogs(id, sourceId, atUs + 1, [line("c")]);
      const rows = await store.logs(id, 0, 10);
      expect(rows.map(({ output }) => output)).toEqual(["a", awkward, "c"]);
      expect(rows[0]).toEqual({
        id: rows[0]?.id,
        agentId: id,
        createdAtUs: atUs,
        level: "info",
        output: "a",
        logSourceId: sourceId,
      });
      expect(first).toEqual({ kind: "stored", firstId: rows[0]?.id, wereFirst: true });
      expect(second).toEqual({ kind: "stored", firstId: rows[2]?.id, wereFirst: false });
      expect((await store.logs(id, 0, 2)).map(({ output }) => output)).toEqual(["a", awkward]);
      expect((await store.logs(id, rows[1]?.id ?? 0, 2)).map(({ output }) => output)).toEqual(["c"]);
      expect(await store.insertLogs(nobody, sourceId, 1, [line("x")])).toMatchObject({
        kind: "stored",
        wereFirst: false,
      });
      expect(await store.insertLogs(id, sourceId, 1, [])).toMatchObject({ kind: "stored", wereFirst: false });
      expect(await store.logs(nobody, 0, 9)).toEqual([]);
    });

    it("batches at the same time: each in one piece, and none is seen late", async () => {
      const { store, id } = await definedStore();
      const seen: number[] = [];
      let isWriting = true;
      const reader = (async () => {
        do {
          const rows = await store.logs(id, seen.at(-1) ?? 0, 1000);
          seen.push(...rows.map((row) => row.id));
        } while (isWriting);
      })();
      const batches = Array.from({ length: 40 }, (_, i) => [0, 1, 2, 3, 4].map((j) => line(`${i}/${j}`)));
      const results = await Promise.all(batches.map((batch) => store.insertLogs(id, sourceId, 1, batch)));
      isWriting = false;
      await reader;
      seen.push(...(await store.logs(id, seen.at(-1) ?? 0, 1000)).map((row) => row.id));
      const rows = await store.logs(id, 0, 1000);
      // who follows the log by the last id that it has seen misses nothing
      expect(seen).toEqual(rows.map((row) => row.id));
      expect(results.filter((result) => result.kind === "stored" && result.wereFirst)).toHaveLength(1);
      for (const [i, result] of results.entries()) {
        const at = rows.findIndex((row) => result.kind === "stored" && row.id === result.firstId);
        expect(rows.slice(at, at + 5).map(({ output }) => output)).toEqual(
          batches[i]?.map(({ output }) => output),
        );
      }
      expect(await store.agent(id)).toMatchObject({
        logsLength: batches.flat().reduce((sum, { output }) => sum + output.length, 0),
      });
    });

    it("have a limit in bytes, past which a batch is refused whole (S3.81)", async () => {
      const { store, id } = await definedStore();
      const half = line("é".repeat(maxLogsLength / 4));
      await store.insertLogs(id, sourceId, 1, [half]);
      expect(await store.insertLogs(id, sourceId, 1, [half, line("x")])).toEqual({ kind: "overflow" });
      expect(await store.agent(id)).toMatchObject({ logsOverflowed: true, logsLength: maxLogsLength / 2 });
      expect(await store.logs(id, 0, 10)).toHaveLength(1);
      expect(await store.insertLogs(id, sourceId, 1, [half])).toMatchObject({ kind: "stored" });
      expect(await store.insertLogs(id, sourceId, 1, [line("x")])).toEqual({ kind: "overflow" });
    });

    it("are cut by character, not in the middle of one (S3.80)", async () => {
      const { store, id } = await definedStore();
      await store.insertLogs(id, sourceId, 1, [line("🙂".repeat(2000))]);
      expect((await store.logs(id, 0, 1))[0]?.output).toBe("🙂".repeat(1024));
    });

    it("half a surrogate pair breaks nothing, wherever it is", async () => {
      const { store, id, workspaceId } = await definedStore();
      const half = "a\ud83d b";
      await store.insertLogs(id, sourceId, 1, [line(half), line("after")]);
      await store.updateMetadata([{ agentId: id, key: "a", value: half, error: half, collectedAtUs: 1 }]);
      await store.updateStartup(id, {
        version: half,
        apiVersion: half,
        expandedDirectory: half,
        subsystems: [half],
      });
      await store.insertTelemetry([{ id: half, agentId: id, receivedAtUs: 1, event: { half } }]);
      await store.replaceContext({ ...contextOf(id, 1n), snapshotError: half }, true);
      const status = {
        id: half,
        agentId: id,
        workspaceId,
        appId: half,
        state: "idle" as const,
        message: half,
        uri: half,
        createdAtUs: 1,
      };
      await store.insertAppStatus(status);
      const rows = await store.logs(id, 0, 9);
      expect(rows[0]?.output).toMatch(/^a. b$/u);
      expect(rows[1]?.output).toBe("after");
      expect((await store.agent(id))?.version).toMatch(/^a. b$/u);
      expect((await store.context(id))?.snapshotError).toMatch(/^a. b$/u);
      expect((await store.appStatuses({ agentId: id }, 1))[0]?.message).toMatch(/^a. b$/u);
    });

    it("the first registration of a source stays", async () => {
      const { store, id } = await definedStore();
      const source = { agentId: id, id: sourceId, displayName: awkward, icon: "", createdAtUs: 1 };
      await store.insertLogSource(source);
      await store.insertLogSource({ ...source, displayName: "two", createdAtUs: 2 });
      await store.insertLogSource({ ...source, agentId: nobody });
      expect((await store.logSources(id))[0]).toEqual(source);
    });

    it("a run of a script is kept once, and only of scripts that there are (S3.86)", async () => {
      const { store, id } = await definedStore();
      const [script] = (await store.manifestRecords(id)).scripts;
      const timing = {
        scriptId: script?.id ?? "",
        startedAtUs: atUs,
        endedAtUs: atUs + 1,
        exitCode: -1,
        stage: "start" as const,
        status: "exit_failure" as const,
      };
      const earlier = { ...timing, startedAtUs: 1 };
      await store.insertScriptTiming(timing);
      await store.insertScriptTiming(earlier);
      await expect(store.insertScriptTiming(timing)).rejects.toThrow(
        new StoreConflict("this run of the script is there already"),
      );
      await expect(store.insertScriptTiming({ ...timing, scriptId: nobody })).rejects.toThrow(
        new StoreConflict(`there is no script ${nobody}`),
      );
      expect(await store.scriptTimings(id)).toEqual([earlier, timing]);
    });
  });

  describe(`${name}: connections`, () => {
    const report = (change: Partial<ConnectionReport>): ConnectionReport => ({
      connectionId: sessionId,
      workspaceId: "w",
      agentId: "a",
      agentName: "main",
      atUs: 5,
      action: "connected",
      type: "ssh",
      ip: undefined,
      statusCode: undefined,
      reason: undefined,
      ...change,
    });

    it("reports of the same connection to the same agent are merged (S3.90)", async () => {
      const store = await emptyStore();
      await store.insertConnectionReports([]);
      await store.insertConnectionReports([
        report({ action: "disconnected", atUs: 9, statusCode: 255, reason: "gone" }),
        report({ ip: "127.0.0.1" }),
      ]);
      await store.insertConnectionReports([
        report({ atUs: 3, ip: "::1", reason: "late" }),
        report({ agentId: "b", atUs: 4 }),
      ]);
      const rows = await store.connectionLog({ limit: 10 });
      expect(rows.map(({ id: _id, ...row }) => row)).toEqual([
        {
          connectionId: sessionId,
          workspaceId: "w",
          agentId: "b",
          agentName: "main",
          type: "ssh",
          connectedAtUs: 4,
        },
        {
          connectionId: sessionId,
          workspaceId: "w",
          agentId: "a",
          agentName: "main",
          type: "ssh",
          ip: "127.0.0.1",
          connectedAtUs: 3,
          disconnectedAtUs: 9,
          statusCode: 255,
          reason: "gone",
        },
      ]);
    });

    it("reports at the same time make one connection", async () => {
      const store = await emptyStore();
      const one = Array.from({ length: 20 }, (_, i) =>
        store.insertConnectionReports([report({ atUs: 20 - i })]),
      );
      await Promise.all([
        ...one,
        store.insertConnectionReports([report({ action: "disconnected", atUs: 30, reason: "r" })]),
      ]);
      expect(await store.connectionLog({ limit: 9 })).toMatchObject([
        { connectedAtUs: 1, disconnectedAtUs: 30, reason: "r" },
      ]);
    });

    it("are read newest first, by whatever is asked for", async () => {
      const store = await emptyStore();
      await store.insertConnectionReports([
        report({ connectionId: "1", atUs: 1 }),
        report({ connectionId: "2", atUs: 2, workspaceId: "v", type: "vscode" }),
        report({ connectionId: "3", atUs: 3, agentId: "b", action: "disconnected" }),
        report({ connectionId: "4", atUs: 4 }),
      ]);
      const ids = async (filter: object) =>
        (await store.connectionLog({ limit: 10, ...filter })).map(({ connectionId }) => connectionId);
      expect(await ids({})).toEqual(["4", "3", "2", "1"]);
      expect(await ids({ limit: 2, offset: 1 })).toEqual(["3", "2"]);
      expect(await ids({ workspaceId: "v" })).toEqual(["2"]);
      expect(await ids({ agentId: "a" })).toEqual(["4", "2", "1"]);
      expect(await ids({ type: "vscode" })).toEqual(["2"]);
      expect(await ids({ sinceUs: 2, untilUs: 4 })).toEqual(["3", "2"]);
      expect(await ids({ isOpen: true, agentId: "b" })).toEqual([]);
      expect(await ids({ isOpen: false })).toEqual(["3"]);
    });
  });
}
