import { describe, expect, it, onTestFinished } from "vitest";
import {
  type AgentDefinition,
  type AgentRecord,
  blankAgent,
  type ConnectionReport,
  type ContextSnapshotRecord,
  type ControlPlaneStore,
  maxLogsLength,
  prebuildsOwnerId,
  StoreConflict,
  type WorkspaceDefinition,
} from "../../src/store/index.js";

const sourceId = "11111111-2222-4333-8444-555555555555";
const sessionId = "11111111-2222-4333-8444-666666666666";
const token = "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";
const otherToken = "7f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";
const nobody = "00000000-0000-4000-8000-000000000000";
/** A time with microseconds. */
const atUs = 1_758_000_000_123_457;
const large = 2n ** 62n + 1n;
const awkward = `emoji 🙂, quotes '"\`, a backslash \\, 𝕒 é, a percent %s $1 ?, a line\nand a tab\t`;

const main: AgentDefinition = {
  name: "main",
  token,
  instanceId: "i-1",
  directory: "~/code",
  environment: { A: "1", b: awkward },
  scripts: [{ displayName: "start", script: "echo", runOnStart: true, timeoutSeconds: 1.5 }],
  apps: [
    {
      slug: "web",
      url: "http://localhost:1",
      healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 3 },
    },
    { slug: "bare" },
  ],
  metadata: [
    { key: "b", script: "b", intervalSeconds: 1, displayOrder: 1 },
    { key: "a", script: "a", intervalSeconds: 1, displayOrder: 1 },
    { key: "z", script: "z", intervalSeconds: 1 },
  ],
  devcontainers: [
    { name: "two", workspaceFolder: "/2" },
    { name: "one", workspaceFolder: "/1" },
  ],
  resourceMonitoring: {
    memory: { thresholdPercent: 80 },
    volumes: [
      { path: "/z", thresholdPercent: 90, enabled: false },
      { path: "/a", thresholdPercent: 70 },
    ],
  },
  logSources: [{ displayName: "Build", icon: "/b.png" }],
};
const lab: WorkspaceDefinition = { owner: "ada", name: "lab", agents: [main] };

const line = (output: string) => ({ level: "info" as const, output });

function statsAt(agentId: string, i: number) {
  return {
    agentId,
    createdAtUs: atUs + i,
    connectionCount: large,
    connectionMedianLatencyMs: 0.1 + i,
    rxPackets: 1n,
    rxBytes: 2n ** 63n - 1n,
    txPackets: 3n,
    txBytes: 4n,
    sessionsVscode: 5n,
    sessionsJetbrains: 6n,
    sessionsReconnectingPty: 7n,
    sessionsSsh: -1n,
  };
}

function boundaryLogAt(agentId: string, sequence: number) {
  return {
    id: crypto.randomUUID(),
    agentId,
    sessionId,
    sequence,
    ownerId: nobody,
    isAllowed: sequence % 2 === 0,
    atUs,
    capturedAtUs: atUs + 1,
    method: "GET",
    url: `https://x/${awkward}`,
    matchedRule: sequence % 2 === 0 ? "domain=x" : undefined,
  };
}

function contextOf(agentId: string, version: bigint): ContextSnapshotRecord {
  return {
    agentId,
    version,
    aggregateHash: Uint8Array.of(0, 255, 128),
    snapshotError: awkward,
    receivedAtUs: atUs,
    resources: ["z", "a"].map((source) => ({
      source,
      sourcePath: source === "a" ? undefined : "/z",
      kind: "skill" as const,
      status: "ok" as const,
      error: "",
      contentHash: Uint8Array.of(1, 0, 2),
      sizeBytes: large,
      body: { skill: { name: awkward, list: [1, null, true] } },
    })),
  };
}

function subAgentOf(parent: AgentRecord, name: string): AgentRecord {
  const { id: parentId, workspaceId, buildId } = parent;
  return { ...blankAgent(), parentId, workspaceId, buildId, name };
}

/**
 * Everything that the interfaces of a store promise, as tests.
 * @param makeStore gives an empty store; the suite closes it.
 */
export function storeCompliance(name: string, makeStore: () => Promise<ControlPlaneStore>): void {
  async function emptyStore(): Promise<ControlPlaneStore> {
    const store = await makeStore();
    onTestFinished(() => store.close());
    return store;
  }

  async function definedStore(definition: WorkspaceDefinition = lab) {
    const store = await emptyStore();
    const [defined] = await store.define([definition]);
    const id = defined?.id ?? "";
    const agent = await store.agent(id);
    if (agent === undefined) throw new Error("the agent is not there");
    return { store, id, agent, workspaceId: agent.workspaceId };
  }

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
      expect(again).toEqual([{ workspace: "lab", owner: "ada", agent: "main", id, token }]);
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
      await store.insertTelemetry([telemetry, { ...telemetry, agentId: nobody }]);
      expect(await store.reports(id, 10)).toEqual({
        stats,
        resourceSamples: [sample(0, true), sample(1, false)],
        boundaryLogs: logs,
        telemetry: [telemetry],
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

  describe(`${name}: context`, () => {
    it("is replaced whole, by a higher version or an initial push (S3.111)", async () => {
      const { store, id } = await definedStore();
      expect(await store.replaceContext(contextOf(id, 5n), false)).toBe(true);
      expect(await store.context(id)).toEqual(contextOf(id, 5n));
      expect(await store.replaceContext({ ...contextOf(id, 5n), resources: [] }, false)).toBe(false);
      expect(await store.replaceContext(contextOf(id, 4n), false)).toBe(false);
      expect((await store.context(id))?.resources).toHaveLength(2);
      expect(await store.replaceContext({ ...contextOf(id, large), resources: [] }, false)).toBe(true);
      expect(await store.context(id)).toEqual({ ...contextOf(id, large), resources: [] });
      expect(await store.replaceContext(contextOf(id, 1n), true)).toBe(true);
      expect((await store.context(id))?.version).toBe(1n);
      expect(await store.replaceContext(contextOf(nobody, 1n), true)).toBe(false);
    });

    it("of pushes at the same time the newest stays", async () => {
      const { store, id } = await definedStore();
      const versions = Array.from({ length: 30 }, (_, i) => BigInt((i * 7) % 30) + 1n);
      const accepted = await Promise.all(
        versions.map((version) => store.replaceContext(contextOf(id, version), false)),
      );
      expect((await store.context(id))?.version).toBe(30n);
      expect(accepted[versions.indexOf(30n)]).toBe(true);
    });
  });

  describe(`${name}: sub-agents and ends`, () => {
    it("a build has a name once; a name is free again when its agent is deleted (S3.94)", async () => {
      const { store, id, agent } = await definedStore();
      const taken = 'workspace agent name "sub" already exists in this workspace build';
      const twins = ["sub", "sub"].map((sub) => store.insertSubAgent(subAgentOf(agent, sub)));
      const settled = await Promise.allSettled(twins);
      expect(settled.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      await expect(store.insertSubAgent(subAgentOf(agent, "sub"))).rejects.toThrow(new StoreConflict(taken));
      await expect(store.insertSubAgent(subAgentOf(agent, "main"))).rejects.toThrow(StoreConflict);
      await store.insertSubAgent(subAgentOf(agent, "Sub"));
      const [sub] = (await store.subAgents(id)).filter((one) => one.name === "sub");
      await store.updateSubAgent(sub?.id ?? "", { displayApps: [], directory: undefined });
      expect(await store.agent(sub?.id ?? "")).toMatchObject({
        displayApps: [],
        directory: "",
        parentId: id,
      });
      await store.updateSubAgent(sub?.id ?? "", { displayApps: ["vscode", "vscode"], directory: awkward });
      expect(await store.agent(sub?.id ?? "")).toMatchObject({
        displayApps: ["vscode", "vscode"],
        directory: awkward,
      });
      await store.updateSubAgent(nobody, { displayApps: [], directory: "" });
      await store.deleteAgent(sub?.id ?? "");
      await store.insertSubAgent(subAgentOf(agent, "sub"));
    });

    it("a deleted agent takes its token, its reports and the agents that it made with it (S3.100)", async () => {
      const { store, id, agent } = await definedStore();
      const child = subAgentOf(agent, "child");
      const grandchild = subAgentOf(child, "grandchild");
      await store.insertSubAgent(child);
      await store.insertSubAgent(grandchild);
      await store.insertLogs(child.id, sourceId, 1, [line("x")]);
      await store.replaceContext(contextOf(child.id, 1n), true);
      await store.insertStats([statsAt(child.id, 1)]);
      await store.deleteAgent(child.id);
      expect(await store.agentByToken(child.authToken)).toBeUndefined();
      expect(await store.agentByToken(grandchild.authToken)).toBeUndefined();
      expect(await store.logs(child.id, 0, 1)).toEqual([]);
      expect(await store.context(child.id)).toBeUndefined();
      expect((await store.reports(child.id, 1)).stats).toEqual([]);
      expect(await store.subAgents(id)).toEqual([]);
      await store.deleteAgent(child.id);
      expect(await store.agentByToken(token)).toEqual(agent);
    });

    it("a definition that comes later leaves sub-agents alone", async () => {
      const { store, id, agent } = await definedStore();
      await store.insertSubAgent(subAgentOf(agent, "sub"));
      await store.define([{ ...lab, agents: [{ ...main, directory: "/elsewhere" }] }]);
      expect((await store.subAgents(id)).map((one) => one.name)).toEqual(["sub"]);
      expect((await store.agents(agent.workspaceId)).map((one) => one.name).sort()).toEqual(["main", "sub"]);
    });

    it("a deleted workspace is gone with all that belongs to it", async () => {
      const { store, id, agent, workspaceId } = await definedStore();
      await store.define([{ owner: "bob", name: "lab", agents: [{ name: "main" }] }]);
      const sub = subAgentOf(agent, "sub");
      await store.insertSubAgent(sub);
      await store.deleteWorkspace(workspaceId);
      await store.deleteWorkspace(workspaceId);
      expect(await store.workspace(workspaceId)).toBeUndefined();
      expect(await store.builds(workspaceId)).toBeUndefined();
      expect(await store.agent(id)).toBeUndefined();
      expect(await store.agentByToken(sub.authToken)).toBeUndefined();
      expect(await store.workspaces()).toHaveLength(1);
      const [again] = await store.define([lab]);
      expect(again?.id).not.toBe(id);
    });

    it("secrets are bytes, by name, of a user who has a workspace", async () => {
      const { store, workspaceId } = await definedStore();
      const ownerId = (await store.workspace(workspaceId))?.ownerId ?? "";
      const secret = { envName: "E", filePath: "", value: Uint8Array.of(0, 255, 1) };
      await store.setSecret("ada", "z", secret);
      await store.setSecret("ada", awkward, { ...secret, value: new Uint8Array() });
      await store.setSecret("ada", "z", { ...secret, envName: "F" });
      expect(await store.secrets(ownerId)).toEqual([
        { name: awkward, ...secret, value: new Uint8Array() },
        { name: "z", ...secret, envName: "F" },
      ]);
      await store.setSecret("ada", "z", undefined);
      await store.setSecret("ada", "none", undefined);
      expect(await store.secrets(ownerId)).toHaveLength(1);
      await expect(store.setSecret("nobody", "z", secret)).rejects.toThrow("nobody has no workspace");
    });
  });
}
