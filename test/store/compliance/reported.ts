import { describe, expect, it } from "vitest";
import {
  atUs,
  awkward,
  boundaryLogAt,
  lab,
  large,
  nobody,
  type Subject,
  sessionId,
  sourceId,
  statsAt,
} from "./fixtures.js";

/** What agents report of themselves, and their apps. */
export function reportedThings({ name, emptyStore, definedStore }: Subject): void {
  describe(`${name}: what an agent reports of itself`, () => {
    it("connection times, of many agents at once (S2.4)", async () => {
      const store = await emptyStore();
      const [one, two] = await store.define([{ ...lab, agents: [{ name: "one" }, { name: "two" }] }]);
      const times = (i: number) => ({
        firstConnectedAtUs: atUs,
        lastConnectedAtUs: atUs + i,
        disconnectedAtUs: undefined,
        lastReplicaId: "r",
      });
      const oneId = one?.id ?? "";
      const twoId = two?.id ?? "";
      await store.updateConnections([]);
      await store.updateConnections([
        { agentId: oneId, ...times(1) },
        { agentId: nobody, ...times(9) },
        { agentId: twoId, ...times(2) },
        { agentId: oneId, ...times(3), disconnectedAtUs: atUs + 4 },
      ]);
      expect((await store.agent(oneId))?.connection).toEqual({ ...times(3), disconnectedAtUs: atUs + 4 });
      expect((await store.agent(twoId))?.connection).toEqual(times(2));
      const cleared = {
        firstConnectedAtUs: undefined,
        lastConnectedAtUs: undefined,
        disconnectedAtUs: undefined,
      };
      await store.updateConnections([{ agentId: twoId, ...cleared, lastReplicaId: undefined }]);
      expect((await store.agent(twoId))?.connection).toEqual({});
    });

    it("lifecycle with times that can be cleared, and its start-up (S3.37, S3.39)", async () => {
      const { store, id } = await definedStore();
      await store.updateLifecycle(id, { state: "ready", startedAtUs: atUs, readyAtUs: atUs + 1 });
      expect(await store.agent(id)).toMatchObject({
        lifecycleState: "ready",
        startedAtUs: atUs,
        readyAtUs: atUs + 1,
      });
      await store.updateLifecycle(id, { state: "starting", startedAtUs: atUs, readyAtUs: undefined });
      expect(await store.agent(id)).toMatchObject({ lifecycleState: "starting", readyAtUs: undefined });
      const startup = {
        version: "v2",
        apiVersion: "2.10",
        expandedDirectory: `/${awkward}`,
        subsystems: ["b", "a", "b"],
      };
      await store.updateStartup(id, startup);
      expect(await store.agent(id)).toMatchObject(startup);
      await store.updateLifecycle(nobody, { state: "off", startedAtUs: undefined, readyAtUs: undefined });
      await store.updateStartup(nobody, startup);
    });

    it("metadata: the last value of a key, and only of keys that it has", async () => {
      const { store, id } = await definedStore();
      const value = (agentId: string, key: string, text: string) => {
        return { agentId, key, value: text, error: `e${text}`, collectedAtUs: atUs };
      };
      await store.updateMetadata([]);
      await store.updateMetadata([
        value(id, "a", "1"),
        value(id, "none", "2"),
        value(nobody, "a", "3"),
        value(id, "z", awkward),
        value(id, "a", "4"),
      ]);
      const { metadata } = await store.manifestRecords(id);
      expect(metadata.map((row) => [row.key, row.value, row.error, row.collectedAtUs])).toEqual([
        ["z", awkward, `e${awkward}`, atUs],
        ["a", "4", "e4", atUs],
        ["b", "", "", undefined],
      ]);
    });

    it("stats, samples, boundary logs and telemetry: 64-bit, newest last, only of agents that are there", async () => {
      const { store, id } = await definedStore();
      const stats = [0, 1, 2].map((i) => statsAt(id, i));
      await store.insertStats([]);
      await store.insertStats([stats[0] ?? statsAt(id, 0), statsAt(nobody, 1)]);
      await store.insertStats(stats.slice(1));
      const sample = (i: number, memory: boolean) => ({
        collectedAtUs: atUs + i,
        memory: memory ? { usedBytes: large, totalBytes: large + 1n } : undefined,
        volumes: [{ path: awkward, usedBytes: large, totalBytes: 0n }],
      });
      await store.insertResourceSamples(id, [sample(0, true), sample(1, false)]);
      await store.insertResourceSamples(nobody, [sample(0, true)]);
      await store.insertBoundarySession({
        id: sessionId,
        agentId: id,
        ownerId: nobody,
        confinedProcessName: "p",
        startedAtUs: 1,
      });
      await store.insertBoundarySession({
        id: sessionId,
        agentId: id,
        ownerId: nobody,
        confinedProcessName: "q",
        startedAtUs: 2,
      });
      await store.insertBoundarySession({
        id: sessionId,
        agentId: nobody,
        ownerId: nobody,
        confinedProcessName: "q",
        startedAtUs: 2,
      });
      const logs = [boundaryLogAt(id, 0), boundaryLogAt(id, 1)];
      await store.insertBoundaryLogs([...logs, boundaryLogAt(nobody, 1)]);
      await expect(store.insertBoundaryLogs([boundaryLogAt(id, 2), boundaryLogAt(id, -1)])).rejects.toThrow(
        "a sequence number is negative",
      );
      const telemetry = {
        id: sessionId,
        agentId: id,
        receivedAtUs: atUs,
        event: { status: "CONNECTED", text: awkward },
      };
      const ofUser = { ...telemetry, userId: nobody, peerId: sessionId };
      const ofNoAgent = { ...ofUser, agentId: undefined };
      await store.insertTelemetry([telemetry, { ...telemetry, agentId: nobody }, ofNoAgent, ofUser]);
      expect(await store.reports(id, 10)).toEqual({
        stats,
        resourceSamples: [sample(0, true), sample(1, false)],
        boundaryLogs: logs,
        telemetry: [telemetry, ofUser],
      });
      expect((await store.reports(id, 1)).stats).toEqual(stats.slice(2));
    });

    it("a batch that has more values than a statement takes is stored whole", async () => {
      const { store, id } = await definedStore();
      const stats = Array.from({ length: 3000 }, (_, i) => statsAt(i % 2 === 0 ? id : nobody, i));
      await store.insertStats(stats);
      expect((await store.reports(id, 1000)).stats).toEqual(
        stats.filter(({ agentId }) => agentId === id).slice(-1000),
      );
    });

    it("resource monitors: state and debounce of those that are there (S3.72)", async () => {
      const { store, id } = await definedStore();
      const told = { enabled: false, thresholdPercent: 1, state: "nok" as const, debouncedUntilUs: atUs };
      await store.updateResourceMonitors(id, {
        memory: told,
        volumes: [
          { path: "/none", ...told },
          { path: "/a", ...told },
        ],
      });
      expect(await store.resourceMonitors(id)).toEqual({
        memory: { enabled: true, thresholdPercent: 80, state: "nok", debouncedUntilUs: atUs },
        volumes: [
          { path: "/z", enabled: false, thresholdPercent: 90, state: "ok", debouncedUntilUs: undefined },
          { path: "/a", enabled: true, thresholdPercent: 70, state: "nok", debouncedUntilUs: atUs },
        ],
      });
      await store.updateResourceMonitors(id, { memory: undefined, volumes: [] });
      await store.updateResourceMonitors(nobody, { memory: told, volumes: [] });
      expect((await store.resourceMonitors(id)).memory?.state).toBe("nok");
    });

    it("the use of workspaces (S3.31)", async () => {
      const { store, workspaceId } = await definedStore();
      await store.markUsed([], atUs);
      await store.markUsed([workspaceId, nobody, workspaceId], atUs);
      expect((await store.workspace(workspaceId))?.lastUsedAtUs).toBe(atUs);
    });
  });

  describe(`${name}: apps`, () => {
    it("statuses are the newest first, of equally old ones the larger id", async () => {
      const { store, id, workspaceId } = await definedStore();
      const [bare, web] = await store.apps(id);
      await store.updateAppHealth(web?.id ?? "", "unhealthy");
      await store.updateAppHealth(nobody, "unhealthy");
      expect((await store.apps(id)).map(({ health }) => health)).toEqual(["disabled", "unhealthy"]);
      const status = (statusId: string, appId: string | undefined, createdAtUs: number) => {
        const rest = {
          agentId: id,
          workspaceId,
          message: awkward,
          uri: statusId === "b" ? awkward : undefined,
        };
        return { id: statusId, appId: appId ?? "", state: "working" as const, createdAtUs, ...rest };
      };
      const all = [
        status("b", web?.id, 2),
        status("a", web?.id, 2),
        status("c", bare?.id, 1),
        status("d", web?.id, 3),
      ];
      for (const one of all) await store.insertAppStatus(one);
      await store.insertAppStatus({ ...status("e", web?.id, 9), agentId: nobody });
      const [b, a, c, d] = all;
      expect(await store.appStatuses({ agentId: id }, 10)).toEqual([d, b, a, c]);
      expect(await store.appStatuses({ workspaceId }, 2)).toEqual([d, b]);
      expect(await store.appStatuses({ appId: web?.id ?? "" }, 10)).toEqual([d, b, a]);
    });

    it("an agent has a slug once", async () => {
      const { store, id } = await definedStore();
      const [bare] = await store.apps(id);
      if (bare === undefined) throw new Error("the app is not there");
      await expect(store.insertApp({ ...bare, id: sessionId })).rejects.toThrow(
        'the agent has an app "bare" already',
      );
      await store.insertApp({ ...bare, id: sessionId, slug: "new" });
      await store.insertApp({ ...bare, id: sourceId, agentId: nobody });
      expect((await store.apps(id)).map(({ slug }) => slug)).toEqual(["bare", "new", "web"]);
    });
  });
}
