import { describe, expect, it } from "vitest";
import { type AgentDefinition, prebuildsOwnerId, StoreConflict } from "../../../src/store/index.js";
import {
  atUs,
  awkward,
  contextOf,
  lab,
  line,
  main,
  nobody,
  otherToken,
  type Subject,
  sourceId,
  subAgentOf,
  token,
} from "./fixtures.js";

/** What is declared: who there is, and builds. */
export function declaredThings({ name, emptyStore, definedStore }: Subject): void {
  describe(`${name}: who it is`, () => {
    it("an agent is found by its id and its token, a workspace by its id", async () => {
      const { store, id, agent, workspaceId } = await definedStore();
      expect(agent).toMatchObject({
        name: "main",
        directory: "~/code",
        environment: main.environment,
        parentId: undefined,
      });
      expect(agent.connection).toEqual({});
      expect(await store.agentByToken(token)).toEqual(agent);
      expect(agent.id).toBe(id);
      expect(await store.workspace(workspaceId)).toMatchObject({
        id: workspaceId,
        name: "lab",
        ownerUsername: "ada",
      });
      expect(await store.workspaces()).toEqual([await store.workspace(workspaceId)]);
    });

    it("what is not there is undefined or empty, for whatever id", async () => {
      const store = await emptyStore();
      for (const id of [nobody, "", "no id", awkward]) {
        expect(await store.agent(id)).toBeUndefined();
        expect(await store.agentByToken(id)).toBeUndefined();
        expect(await store.workspace(id)).toBeUndefined();
        expect(await store.builds(id)).toBeUndefined();
        expect(await store.context(id)).toBeUndefined();
        expect(await store.resourceMonitors(id)).toEqual({ memory: undefined, volumes: [] });
        expect(await store.manifestRecords(id)).toEqual({
          apps: [],
          scripts: [],
          metadata: [],
          devcontainers: [],
        });
        for (const rows of [
          store.agentsByInstanceId(id),
          store.secrets(id),
          store.apps(id),
          store.logSources(id),
          store.logs(id, 0, 10),
          store.scriptTimings(id),
          store.subAgents(id),
          store.agents(id),
          store.ownedWorkspaces(id),
          store.signingKeys(id),
          store.appStatuses({ agentId: id }, 10),
          store.connectionLog({ agentId: id, limit: 10 }),
        ]) {
          expect(await rows).toEqual([]);
        }
        expect(await store.reports(id, 10)).toEqual({
          stats: [],
          resourceSamples: [],
          boundaryLogs: [],
          telemetry: [],
        });
      }
    });

    it("only agents of workspaces themselves are found by the machine's id (S5.41)", async () => {
      const { store, id, agent } = await definedStore();
      await store.insertSubAgent({ ...subAgentOf(agent, "sub"), instanceId: "i-1" });
      expect((await store.agentsByInstanceId("i-1")).map((one) => one.id)).toEqual([id]);
    });
  });

  describe(`${name}: definitions`, () => {
    it("have everything that a manifest can have, in its order", async () => {
      const { store, id } = await definedStore();
      const { apps, scripts, metadata, devcontainers } = await store.manifestRecords(id);
      expect(apps).toMatchObject([
        { slug: "bare", health: "disabled", healthcheck: undefined, hidden: false },
        {
          slug: "web",
          health: "initializing",
          healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 3 },
        },
      ]);
      expect(await store.apps(id)).toEqual(apps);
      expect(scripts).toMatchObject([
        { displayName: "start", runOnStart: true, runOnStop: false, timeoutSeconds: 1.5 },
      ]);
      expect(metadata.map(({ key }) => key)).toEqual(["z", "a", "b"]);
      expect(devcontainers.map((row) => row.name)).toEqual(["two", "one"]);
      const monitors = await store.resourceMonitors(id);
      expect(monitors.memory).toEqual({
        enabled: true,
        thresholdPercent: 80,
        state: "ok",
        debouncedUntilUs: undefined,
      });
      expect(monitors.volumes.map(({ path, enabled }) => [path, enabled])).toEqual([
        ["/z", false],
        ["/a", true],
      ]);
      expect((await store.logSources(id)).map(({ displayName }) => displayName).sort()).toEqual([
        "Build",
        "start",
      ]);
    });

    it("the same again changes nothing", async () => {
      const { store, id, workspaceId } = await definedStore();
      const all = async () => [
        await store.workspaces(),
        await store.builds(workspaceId),
        await store.agents(workspaceId),
        await store.manifestRecords(id),
        await store.logSources(id),
        await store.resourceMonitors(id),
      ];
      const before = await all();
      const again = await store.define([lab]);
      const [workspace] = await store.workspaces();
      const ownerId = workspace?.ownerId;
      expect(again).toEqual([{ workspace: "lab", owner: "ada", ownerId, agent: "main", id, token }]);
      expect(await all()).toEqual(before);
    });

    it("what has changed is updated, what is gone goes, what was reported stays", async () => {
      const { store, id } = await definedStore();
      await store.updateLifecycle(id, { state: "ready", startedAtUs: atUs, readyAtUs: atUs + 1 });
      await store.updateMetadata([{ agentId: id, key: "a", value: "7", error: "", collectedAtUs: atUs }]);
      await store.insertLogSource({
        agentId: id,
        id: sourceId,
        displayName: "own",
        icon: "",
        createdAtUs: 1,
      });
      await store.insertLogs(id, sourceId, 1, [line("x")]);
      const nok = { enabled: true, thresholdPercent: 70, state: "nok" as const, debouncedUntilUs: atUs };
      await store.updateResourceMonitors(id, { memory: undefined, volumes: [{ path: "/a", ...nok }] });
      const web = (await store.apps(id)).find(({ slug }) => slug === "web");
      await store.updateAppHealth(web?.id ?? "", "healthy");
      const changed: AgentDefinition = {
        ...main,
        directory: "/new",
        scripts: [],
        apps: [...(main.apps ?? []), { slug: "added" }].filter(({ slug }) => slug !== "bare"),
        metadata: (main.metadata ?? []).filter(({ key }) => key !== "b"),
        devcontainers: [{ name: "one", workspaceFolder: "/1" }],
        resourceMonitoring: { volumes: [{ path: "/a", thresholdPercent: 60 }] },
      };
      const [again] = await store.define([{ ...lab, agents: [changed] }]);
      expect(again?.id).toBe(id);
      expect(await store.agent(id)).toMatchObject({
        directory: "/new",
        lifecycleState: "ready",
        readyAtUs: atUs + 1,
        logsLength: 1,
      });
      const { apps, scripts, metadata, devcontainers } = await store.manifestRecords(id);
      expect(scripts).toEqual([]);
      expect(apps).toMatchObject([{ slug: "added" }, { slug: "web", id: web?.id, health: "healthy" }]);
      expect(metadata).toMatchObject([{ key: "z" }, { key: "a", value: "7", collectedAtUs: atUs }]);
      expect(devcontainers).toMatchObject([{ name: "one" }]);
      expect(await store.resourceMonitors(id)).toEqual({
        memory: undefined,
        volumes: [{ path: "/a", enabled: true, thresholdPercent: 60, state: "nok", debouncedUntilUs: atUs }],
      });
      expect((await store.logSources(id)).map((source) => source.id)).toContain(sourceId);
      expect(await store.logs(id, 0, 9)).toHaveLength(1);
    });

    it("agents that are declared no more are deleted, other workspaces stay", async () => {
      const store = await emptyStore();
      const other = { owner: "bob", name: "lab", agents: [{ name: "main" }] };
      const [first, second, third] = await store.define([
        { ...lab, agents: [main, { name: "side" }] },
        other,
      ]);
      await store.define([lab]);
      expect(await store.agent(first?.id ?? "")).toBeDefined();
      expect(await store.agent(second?.id ?? "")).toBeUndefined();
      expect(await store.agentByToken(second?.token ?? "")).toBeUndefined();
      expect(await store.agent(third?.id ?? "")).toBeDefined();
      expect((await store.workspaces()).map(({ ownerUsername }) => ownerUsername)).toEqual(["ada", "bob"]);
    });

    it("agents have the order of the definition, and can exchange their tokens", async () => {
      const store = await emptyStore();
      const two = (one: string, other: string) => [
        {
          owner: "ada",
          name: "lab",
          agents: [
            { name: "z", token: one },
            { name: "a", token: other },
          ],
        },
      ];
      const [z] = await store.define(two(token, otherToken));
      await store.define(two(otherToken, token));
      expect((await store.agentByToken(otherToken))?.id).toBe(z?.id);
      expect((await store.agentByToken(token))?.name).toBe("a");
      const [workspace] = await store.workspaces();
      expect((await store.agents(workspace?.id ?? "")).map((agent) => agent.name)).toEqual(["z", "a"]);
    });

    it("twins are refused, and nothing is changed", async () => {
      const { store, id } = await definedStore();
      const before = await store.agent(id);
      const moved = { ...lab, agents: [{ ...main, directory: "/moved" }] };
      const thief = { owner: "bob", name: "lab", agents: [{ name: "other", token }] };
      await expect(store.define([moved, moved])).rejects.toThrow(StoreConflict);
      await expect(
        store.define([{ ...moved, agents: [{ ...main, token: otherToken }] }, thief, thief]),
      ).rejects.toThrow(StoreConflict);
      expect(await store.agent(id)).toEqual(before);
      await expect(store.define([thief])).rejects.toThrow(
        /^two agents have the same token: other is the second$/,
      );
      expect(await store.workspaces()).toHaveLength(1);
      expect(await store.agent(id)).toEqual(before);
    });

    it("a task names its app (S3.57)", async () => {
      const { store, id, workspaceId } = await definedStore({
        ...lab,
        task: { name: "t", agent: "main", app: "web" },
      });
      const web = (await store.apps(id)).find(({ slug }) => slug === "web");
      expect((await store.workspace(workspaceId))?.task).toMatchObject({ name: "t", appId: web?.id });
      await store.define([lab]);
      expect((await store.workspace(workspaceId))?.task).toBeUndefined();
    });
  });

  describe(`${name}: builds`, () => {
    it("a start has agents like the ones before, with their tokens and new ids (S9.1)", async () => {
      const { store, id, agent, workspaceId } = await definedStore({
        ...lab,
        task: { name: "t", agent: "main", app: "web" },
      });
      await store.insertSubAgent(subAgentOf(agent, "sub"));
      await store.replaceContext(contextOf(id, 1n), true);
      await store.updateMetadata([{ agentId: id, key: "a", value: "7", error: "", collectedAtUs: atUs }]);
      const build = await store.newBuild(workspaceId, { transition: "start" });
      expect(build).toMatchObject({
        number: 2,
        transition: "start",
        job: { status: "succeeded", error: "" },
        isClaim: false,
      });
      expect(await store.agent(id)).toBeUndefined();
      expect(await store.context(id)).toBeUndefined();
      const next = await store.agentByToken(token);
      expect(next).toMatchObject({
        name: "main",
        buildId: build.id,
        directory: "~/code",
        lifecycleState: "created",
      });
      expect(next?.id).not.toBe(id);
      expect(await store.agents(workspaceId)).toEqual([next]);
      const { apps, metadata, devcontainers } = await store.manifestRecords(next?.id ?? "");
      expect(apps.map(({ slug }) => slug)).toEqual(["bare", "web"]);
      expect(metadata).toMatchObject([{ value: "" }, { value: "" }, { value: "" }]);
      expect(devcontainers.map((row) => row.name)).toEqual(["two", "one"]);
      expect((await store.workspace(workspaceId))?.task?.appId).toBe(apps[1]?.id);
      expect(await store.builds(workspaceId)).toMatchObject({ first: { number: 1 }, latest: build });
    });

    it("a start after a stop has the agents again; after a delete there are none", async () => {
      const { store, workspaceId } = await definedStore();
      await store.newBuild(workspaceId, { transition: "stop" });
      expect((await store.agents(workspaceId)).map(({ name: of }) => of)).toEqual(["main"]);
      expect(await store.agentByToken(token)).toBeUndefined();
      const { id: buildId } = await store.newBuild(workspaceId, { transition: "start" });
      const agent = await store.agentByToken(token);
      expect(agent).toMatchObject({ name: "main", buildId });
      expect((await store.manifestRecords(agent?.id ?? "")).apps).toHaveLength(2);
      await store.newBuild(workspaceId, { transition: "delete" });
      expect(await store.agents(workspaceId)).toEqual([]);
      expect(await store.agentByToken(token)).toBeUndefined();
    });

    it("the latest builds of workspaces, and the agents of a build (S2.8, S3.38)", async () => {
      const { store, agent, workspaceId } = await definedStore();
      const [other] = await store.define([
        { owner: "bob", name: "mine", agents: [{ name: "one" }, { name: "two" }] },
      ]);
      const otherId = (await store.agent(other?.id ?? ""))?.workspaceId ?? "";
      await store.insertSubAgent(subAgentOf(agent, "sub"));
      const latest = await store.newBuild(otherId, {
        transition: "start",
        job: { status: "running", error: "" },
      });
      expect(await store.latestBuildIds([workspaceId, otherId, nobody])).toEqual(
        new Map([
          [workspaceId, agent.buildId],
          [otherId, latest.id],
        ]),
      );
      expect(await store.latestBuildIds([])).toEqual(new Map());
      expect((await store.buildAgents(agent.buildId)).map(({ name: of }) => of)).toEqual(["main"]);
      expect(await store.buildAgents(latest.id)).toEqual([]);
    });

    it("a job that has not succeeded leaves the agents, a stop that has takes them", async () => {
      const { store, id, workspaceId } = await definedStore();
      for (const status of ["pending", "running", "failed", "canceled"] as const) {
        await store.newBuild(workspaceId, { transition: "stop", job: { status, error: "why" } });
        expect(await store.agent(id)).toBeDefined();
      }
      const { first, latest } = (await store.builds(workspaceId)) ?? {};
      expect(first?.number).toBe(1);
      expect(latest).toMatchObject({ number: 5, job: { status: "canceled", error: "why" } });
      await store.newBuild(workspaceId, { transition: "stop", initiatorId: nobody });
      expect(await store.agent(id)).toBeUndefined();
      expect(await store.agentByToken(token)).toBeUndefined();
      expect((await store.builds(workspaceId))?.latest.initiatorId).toBe(nobody);
      await expect(store.newBuild(nobody, { transition: "stop" })).rejects.toThrow(
        `there is no workspace ${nobody}`,
      );
    });

    it("builds at the same time have numbers of their own", async () => {
      const { store, workspaceId } = await definedStore();
      const builds = await Promise.all(
        Array.from({ length: 5 }, () => store.newBuild(workspaceId, { transition: "start" })),
      );
      expect(builds.map(({ number }) => number).sort()).toEqual([2, 3, 4, 5, 6]);
      expect(await store.agents(workspaceId)).toHaveLength(1);
    });

    it("a prebuilt workspace is claimed once (S3.4)", async () => {
      const { store, id, workspaceId } = await definedStore({ ...lab, isPrebuilt: true });
      expect(await store.workspace(workspaceId)).toMatchObject({
        ownerId: prebuildsOwnerId,
        ownerUsername: "prebuilds",
      });
      await store.define([{ owner: "bob", name: "mine", agents: [] }]);
      await expect(store.claim(nobody, "bob", "x")).rejects.toThrow(`there is no workspace ${nobody}`);
      await expect(store.claim(workspaceId, "bob", "mine")).rejects.toThrow(
        'bob has a workspace "mine" already',
      );
      expect(await store.agent(id)).toBeDefined();
      const claims = await Promise.allSettled(
        ["one", "two"].map((as) => store.claim(workspaceId, "bob", as)),
      );
      expect(claims.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      await expect(store.claim(workspaceId, "bob", "three")).rejects.toThrow(
        "the workspace belongs to somebody already",
      );
      const [bobs] = (await store.workspaces()).filter((one) => one.name === "mine");
      const claimed = await store.workspace(workspaceId);
      expect(claimed).toMatchObject({ ownerUsername: "bob", ownerId: bobs?.ownerId });
      expect(["one", "two"]).toContain(claimed?.name);
      expect((await store.builds(workspaceId))?.latest).toMatchObject({
        number: 2,
        isClaim: true,
        initiatorId: bobs?.ownerId,
      });
      expect((await store.agentByToken(token))?.id).not.toBe(id);
    });
  });
}
