import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { AgentConnection } from "../../src/client/index-node.js";
import { parseUuid } from "../../src/codec/index.js";
import {
  Agent,
  AppHealth,
  UpdateAppStatusRequest_AppStatusState as AppState,
  Connection_Action,
  Connection_Type,
  type CreateSubAgentRequest_App_SharingLevel,
  CreateSubAgentRequest_DisplayApp as DisplayApp,
  Lifecycle_State,
  Log_Level,
  Startup_Subsystem,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import type { RpcError } from "../../src/rpc/index.js";
import type { ControlPlane, ServerEvent } from "../../src/server/index.js";
import { controlPlane, dialled } from "../support/control-plane.js";
import { failure } from "../support/echo.js";
import { storedReports } from "../support/reports.js";
import { vectors } from "../support/vectors.js";

const agentDefinition = {
  directory: "/home/ada",
  environment: { FOO: "bar" },
  motdFile: "/etc/motd",
  scripts: [{ displayName: "Start", script: "echo hi", runOnStart: true, timeoutSeconds: 60 }],
  apps: [
    {
      slug: "web",
      displayName: "Web",
      url: "http://localhost:8000",
      healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 3 },
    },
    { slug: "ai" },
  ],
  metadata: [{ key: "cpu", displayName: "CPU", script: "uptime", intervalSeconds: 10, timeoutSeconds: 1 }],
  devcontainers: [{ name: "dc", workspaceFolder: "/projects" }],
  resourceMonitoring: {
    memory: { thresholdPercent: 80 },
    volumes: [{ path: "/", thresholdPercent: 90, enabled: false }],
  },
};

interface Setup {
  plane: ControlPlane;
  agent: AgentConnection["agent"];
  agentId: string;
  events: ServerEvent[];
}

async function setup(): Promise<Setup> {
  const plane = await controlPlane(agentDefinition);
  const { agent } = await dialled(plane);
  const events: ServerEvent[] = [];
  plane.events.onPublish((event) => events.push(event));
  return { plane, agent, agentId: plane.agents[0]?.id ?? "", events };
}

/** The text of a refusal, which comes with code 0 as the reference server sends it. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error: RpcError = await failure(call);
  expect(error.drpcCode).toBe(0);
  return error.rawMessage;
}

const uuid = (text: string) => parseUuid(text) ?? new Uint8Array();
const unknownId = "11111111-2222-4333-8444-555555555555";

describe("S3-B GetManifest", () => {
  it("gives all that was declared, with the units that agents expect", async () => {
    const { agent, agentId, plane } = await setup();
    const manifest = await agent.getManifest({});
    expect(manifest).toMatchObject({
      agentName: "main",
      ownerUsername: "ada",
      workspaceName: "dev",
      directory: "/home/ada",
      motdPath: "/etc/motd",
      environmentVariables: { FOO: "bar" },
    });
    expect(manifest.agentId).toEqual(uuid(agentId));
    expect(manifest.workspaceId).toHaveLength(16);
    expect(manifest.parentId).toBeUndefined();
    expect(manifest.derpMap?.homeParams).toBeDefined();
    expect(manifest.scripts).toMatchObject([
      { script: "echo hi", runOnStart: true, timeout: { seconds: 60n, nanos: 0 } },
    ]);
    expect(manifest.apps.map(({ slug, healthcheck }) => [slug, healthcheck?.threshold])).toEqual([
      ["ai", 0],
      ["web", 3],
    ]);
    // seconds travel as that many nanoseconds: S3.18
    expect(manifest.metadata).toMatchObject([{ key: "cpu", interval: { nanos: 10 }, timeout: { nanos: 1 } }]);
    expect(manifest.devcontainers).toMatchObject([{ name: "dc", workspaceFolder: "/projects" }]);
    expect((await plane.store.logSources(agentId)).map(({ displayName }) => displayName)).toEqual(["Start"]);
  });
});

describe("S3-C, S3-D, S3-J what agents are told", () => {
  it("no banners, unless there are", async () => {
    const { agent } = await setup();
    expect((await agent.getAnnouncementBanners({})).announcementBanners).toEqual([]);
    expect(await agent.getServiceBanner({})).toMatchObject({ enabled: false, message: "" });
    const plane = await controlPlane(
      {},
      { banners: () => [{ enabled: true, message: "Careful", backgroundColor: "#f00" }] },
    );
    const other = await dialled(plane);
    expect(await other.agent.getServiceBanner({})).toMatchObject({ enabled: true, message: "Careful" });
    expect((await other.agent.getAnnouncementBanners({})).announcementBanners).toHaveLength(1);
  });

  it("the interval of stats, also for a call without any", async () => {
    const { agent, plane, agentId, events } = await setup();
    expect((await agent.updateStats({})).reportInterval).toMatchObject({ seconds: 30n, nanos: 0 });
    expect((await storedReports(plane, agentId)).stats).toEqual([]);
    await agent.updateStats({ stats: { connectionCount: 2n, rxBytes: 100n } });
    expect((await storedReports(plane, agentId)).stats).toMatchObject([
      { connectionCount: 2n, rxBytes: 100n },
    ]);
    expect(events).toContainEqual({
      topic: "workspace",
      kind: "stats_update",
      ownerId: expect.any(String),
      workspaceId: expect.any(String),
    });
  });

  it("a monitoring configuration with a positive interval, and keeps what is pushed (C4.60)", async () => {
    const { agent, plane, agentId } = await setup();
    expect(await agent.getResourcesMonitoringConfiguration({})).toMatchObject({
      config: { numDatapoints: 20, collectionIntervalSeconds: 10 },
      memory: { enabled: true },
      volumes: [{ enabled: false, path: "/" }],
    });
    await agent.pushResourcesMonitoringUsage({
      datapoints: [
        {
          collectedAt: timestampNow(),
          memory: { used: 1n, total: 2n },
          volumes: [{ volume: "/", used: 3n, total: 4n }],
        },
      ],
    });
    expect((await storedReports(plane, agentId)).resourceSamples).toMatchObject([
      { memory: { usedBytes: 1n, totalBytes: 2n }, volumes: [{ path: "/", usedBytes: 3n, totalBytes: 4n }] },
    ]);
  });
});

describe("S3-E UpdateLifecycle", () => {
  it("stores the state and its times, tells of it, and echoes", async () => {
    const { agent, plane, agentId, events } = await setup();
    const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 5000 });
    await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.STARTING, changedAt: at(100) } });
    const reply = await agent.updateLifecycle({
      lifecycle: { state: Lifecycle_State.READY, changedAt: at(200) },
    });
    expect(reply).toMatchObject({ state: Lifecycle_State.READY, changedAt: at(200) });
    expect(await plane.store.agent(agentId)).toMatchObject({
      lifecycleState: "ready",
      startedAtUs: 100_000_005,
      readyAtUs: 200_000_005,
    });
    await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.STARTING, changedAt: at(300) } });
    expect(await plane.store.agent(agentId)).toMatchObject({
      startedAtUs: 300_000_005,
      readyAtUs: undefined,
    });
    await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.OFF, changedAt: at(400) } });
    expect(await plane.store.agent(agentId)).toMatchObject({
      lifecycleState: "off",
      startedAtUs: 300_000_005,
    });
    expect(events.filter((e) => e.topic === "workspace" && e.kind === "agt_lifecycle_update")).toHaveLength(
      4,
    );
  });

  it("takes year 1 for now and no time for 1970 (S3.36)", async () => {
    const { agent, plane, agentId } = await setup();
    const zero = { seconds: -62_135_596_800n, nanos: 0 };
    const reply = await agent.updateLifecycle({
      lifecycle: { state: Lifecycle_State.READY, changedAt: zero },
    });
    expect(Number(reply.changedAt?.seconds) * 1000).toBeGreaterThan(Date.now() - 60_000);
    await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.READY } });
    expect((await plane.store.agent(agentId))?.readyAtUs).toBe(0);
  });

  it("refuses what is missing or unknown, and changes nothing", async () => {
    const { agent, plane, agentId, events } = await setup();
    expect(await refusal(agent.updateLifecycle({}))).toBe("lifecycle is required");
    expect(await refusal(agent.updateLifecycle({ lifecycle: {} }))).toBe(
      'unknown lifecycle state "STATE_UNSPECIFIED"',
    );
    expect(await refusal(agent.updateLifecycle({ lifecycle: { state: -999 as Lifecycle_State } }))).toBe(
      'unknown lifecycle state "-999"',
    );
    expect((await plane.store.agent(agentId))?.lifecycleState).toBe("created");
    expect(events.some((e) => e.topic === "workspace" && e.kind === "agt_lifecycle_update")).toBe(false);
  });
});

describe("S3-F UpdateStartup", () => {
  it("stores it with the version of the dial, subsystems sorted and once, and echoes", async () => {
    const plane = await controlPlane();
    const { agent } = await dialled(plane, { version: "2.3" });
    const startup = {
      version: "v2.30.1-rc.1+meta",
      expandedDirectory: "/home/ada",
      subsystems: [Startup_Subsystem.EXECTRACE, Startup_Subsystem.ENVBOX, Startup_Subsystem.EXECTRACE],
    };
    expect(await agent.updateStartup({ startup })).toMatchObject(startup);
    expect(await plane.store.agent(plane.agents[0]?.id ?? "")).toMatchObject({
      version: "v2.30.1-rc.1+meta",
      apiVersion: "2.3",
      subsystems: ["envbox", "exectrace"],
    });
  });

  it("refuses what is missing or wrong", async () => {
    const { agent } = await setup();
    expect(await refusal(agent.updateStartup({}))).toBe("startup is required");
    for (const version of ["1.2.3", "", "asdf", "v01.2", "v1.2.3-"]) {
      expect(await refusal(agent.updateStartup({ startup: { version } }))).toBe(
        `invalid agent semver version "${version}"`,
      );
    }
    for (const version of ["v1", "v1.2", "v0.0.0"]) await agent.updateStartup({ startup: { version } });
    expect(await refusal(agent.updateStartup({ startup: { version: "v1", subsystems: [0] } }))).toBe(
      'invalid agent subsystem "SUBSYSTEM_UNSPECIFIED"',
    );
  });
});

describe("S3-G BatchUpdateAppHealths", () => {
  it("writes all or nothing", async () => {
    const { agent, plane, agentId, events } = await setup();
    const apps = await plane.store.apps(agentId);
    const id = (slug: string) => uuid(apps.find((app) => app.slug === slug)?.id ?? "");
    const webId = apps.find((app) => app.slug === "web")?.id;
    const aiId = apps.find((app) => app.slug === "ai")?.id;
    await agent.batchUpdateAppHealths({});
    const healthy = { id: id("web"), health: AppHealth.HEALTHY };
    const update = (...updates: { id: Uint8Array; health: AppHealth }[]) =>
      agent.batchUpdateAppHealths({ updates });
    expect(await refusal(update(healthy, { id: uuid(unknownId), health: AppHealth.HEALTHY }))).toBe(
      `workspace app ID "${unknownId}" not found`,
    );
    expect(await refusal(update(healthy, { id: Buffer.from("abc"), health: AppHealth.HEALTHY }))).toBe(
      'parse workspace app ID "abc": invalid UUID (got 3 bytes)',
    );
    expect(await refusal(update(healthy, { id: id("ai"), health: AppHealth.HEALTHY }))).toBe(
      `workspace app "${aiId}" ("ai") does not have healthchecks enabled`,
    );
    expect(await refusal(update({ id: id("web"), health: AppHealth.APP_HEALTH_UNSPECIFIED }))).toBe(
      `unknown health status "APP_HEALTH_UNSPECIFIED" for app "${webId}" ("web")`,
    );
    expect((await plane.store.apps(agentId)).find(({ slug }) => slug === "web")?.health).toBe("initializing");
    await update(healthy);
    await update(healthy);
    expect((await plane.store.apps(agentId)).find(({ slug }) => slug === "web")?.health).toBe("healthy");
    expect(events.filter((e) => e.topic === "workspace" && e.kind === "app_health")).toHaveLength(1);
  });
});

describe("S3-H UpdateAppStatus", () => {
  it("appends a status each time, and tells of it", async () => {
    const { agent, plane, agentId, events } = await setup();
    await agent.updateAppStatus({
      slug: "ai",
      state: AppState.WORKING,
      message: "thinking",
      uri: "https://x.test/",
    });
    await agent.updateAppStatus({ slug: "ai", state: AppState.IDLE, message: "x".repeat(160) });
    const statuses = await plane.store.appStatuses({ agentId: agentId }, 10);
    expect(statuses.map(({ state, uri }) => [state, uri])).toEqual([
      ["idle", undefined],
      ["working", "https://x.test/"],
    ]);
    expect(events.filter((e) => e.topic === "workspace" && e.kind === "agt_app_status_update")).toHaveLength(
      2,
    );
  });

  it("refuses with the texts of the reference server, in its order (S3.51)", async () => {
    const { agent, plane, agentId } = await setup();
    const status = (slug: string, state: number, message: string) =>
      agent.updateAppStatus({ slug, state, message });
    expect(await refusal(status("x", 77, "é".repeat(81)))).toBe(
      "unexpected status code 400: Message is too long.\n\tError: Message must be less than 160 characters.\n\tmessage: Message must be less than 160 characters.",
    );
    expect(await refusal(status("x", 77, "m"))).toBe(
      'unexpected status code 400: Invalid state provided.\n\tError: invalid state: "77"\n\tstate: State must be one of: complete, failure, working, idle.',
    );
    expect(await refusal(status("x", 0, "m"))).toBe(
      'unexpected status code 400: Failed to get workspace app.\n\tError: No app found with slug "x"',
    );
    expect(await plane.store.appStatuses({ agentId: agentId }, 10)).toEqual([]);
  });
});

describe("S3-I BatchUpdateMetadata", () => {
  it("stores trimmed values at the server's time; unknown keys vanish", async () => {
    const { agent, plane, agentId, events } = await setup();
    await agent.batchUpdateMetadata({
      metadata: [
        { key: "cpu", result: { value: "  42 % \n", error: "", collectedAt: { seconds: 5n } } },
        { key: "nope", result: { value: "x" } },
      ],
    });
    const [row] = (await storedReports(plane, agentId)).metadata;
    expect(row).toMatchObject({ key: "cpu", value: "42 %", error: "" });
    expect(row?.collectedAtUs).toBeGreaterThan((Date.now() - 60_000) * 1000);
    expect(events).toContainEqual({ topic: "metadata", agentIds: [agentId] });
  });

  it("cuts values, replaces errors, and stops at 6,144 bytes of keys", async () => {
    const { agent, plane, agentId } = await setup();
    const only = async (value: string, error: string) => {
      await agent.batchUpdateMetadata({ metadata: [{ key: "cpu", result: { value, error } }] });
      return (await storedReports(plane, agentId)).metadata[0];
    };
    expect(await only("v".repeat(2049), "")).toMatchObject({
      value: "v".repeat(2048),
      error: "value of 2049 bytes exceeded 2048 bytes",
    });
    expect(await only("v".repeat(2049), "e".repeat(3000))).toMatchObject({
      error: "error of 3000 bytes exceeded 2048 bytes",
    });
    const long = Array.from({ length: 7 }, (_, i) => ({ key: `${i}`.repeat(1000), result: {} }));
    const metadata = [{ key: "cpu", result: { value: "before" } }, ...long];
    expect(await refusal(agent.batchUpdateMetadata({ metadata }))).toBe(
      "metadata keys of 7003 bytes exceeded 6144 bytes",
    );
    expect((await storedReports(plane, agentId)).metadata[0]).toMatchObject({ value: "before" });
    expect(await refusal(agent.batchUpdateMetadata({ metadata: [{ key: "cpu" }] }))).toBe(
      "metadata result is required",
    );
  });
});

describe("S3-K BatchCreateLogs", () => {
  const line = (output: string, level = Log_Level.INFO) => ({ output, level });

  it("stores lines with their source and level at the server's time", async () => {
    const { agent, plane, agentId, events } = await setup();
    const logSourceId = uuid(unknownId);
    await agent.batchCreateLogs({
      logSourceId,
      logs: [line("one"), line("two\0!", Log_Level.ERROR), line("x", 99 as Log_Level)],
    });
    await agent.batchCreateLogs({ logSourceId, logs: [line("é".repeat(2000))] });
    const logs = await plane.store.logs(agentId, 0, 100);
    expect(logs.map(({ output, level }) => [output.slice(0, 8), level])).toEqual([
      ["one", "info"],
      ["two❌!", "error"],
      ["x", "info"],
      ["éééééééé", "info"],
    ]);
    expect(logs[3]?.output).toHaveLength(1024);
    expect(logs.every(({ logSourceId: id }) => id === unknownId)).toBe(true);
    expect((await plane.store.agent(agentId))?.logsLength).toBe(3 + 7 + 1 + 4000);
    expect(events).toContainEqual({ topic: "logs", agentId, createdAfter: 0 });
    expect(events.filter((e) => e.topic === "workspace" && e.kind === "agt_first_logs")).toHaveLength(1);
  });

  it("accepts an empty batch, and the nil id as the External source (S3.77)", async () => {
    const { agent, plane, agentId } = await setup();
    await agent.batchCreateLogs({});
    await agent.batchCreateLogs({ logSourceId: new Uint8Array(16), logs: [line("x")] });
    expect((await plane.store.logs(agentId, 0, 9))[0]?.logSourceId).toBe(
      "3b579bf4-1ed8-4b99-87a8-e9a1e3410410",
    );
    expect((await plane.store.logSources(agentId)).map(({ displayName }) => displayName)).toContain(
      "External",
    );
    expect(await refusal(agent.batchCreateLogs({ logs: [line("x")] }))).toBe(
      'parse log source ID "": invalid UUID (got 0 bytes)',
    );
    expect(
      await refusal(agent.batchCreateLogs({ logSourceId: Buffer.from([1, 34]), logs: [line("x")] })),
    ).toBe('parse log source ID "\\x01\\"": invalid UUID (got 2 bytes)');
  });

  it("refuses a batch that passes 1 MiB as a whole, and all after it (S3.81)", async () => {
    const { agent, plane, agentId, events } = await setup();
    const logSourceId = uuid(unknownId);
    const half = line("x".repeat(524_288));
    expect(await agent.batchCreateLogs({ logSourceId, logs: [half, half] })).toMatchObject({
      logLimitExceeded: false,
    });
    expect(await agent.batchCreateLogs({ logSourceId, logs: [line("y")] })).toMatchObject({
      logLimitExceeded: true,
    });
    expect(await agent.batchCreateLogs({})).toMatchObject({ logLimitExceeded: true });
    expect(await plane.store.logs(agentId, 0, 9)).toHaveLength(2);
    expect(await plane.store.agent(agentId)).toMatchObject({ logsOverflowed: true, logsLength: 1_048_576 });
    expect(events.filter((e) => e.topic === "workspace" && e.kind === "agt_logs_overflow")).toHaveLength(1);
  });
});

describe("S3-L ScriptCompleted", () => {
  it("stores a run once, of a script that is known", async () => {
    const { agent, plane, agentId } = await setup();
    const [script] = (await agent.getManifest({})).scripts;
    const timing = {
      scriptId: script?.id ?? new Uint8Array(),
      start: { seconds: 10n },
      end: { seconds: 12n },
      exitCode: 3,
      status: 1,
    };
    await agent.scriptCompleted({ timing });
    expect((await storedReports(plane, agentId)).scriptTimings).toMatchObject([
      { startedAtUs: 10_000_000, endedAtUs: 12_000_000, exitCode: 3, stage: "start", status: "exit_failure" },
    ]);
    const prefix = "insert workspace agent script timings into database: ";
    expect(await refusal(agent.scriptCompleted({ timing }))).toContain(prefix);
    expect(
      await refusal(agent.scriptCompleted({ timing: { ...timing, scriptId: uuid(unknownId) } })),
    ).toContain(prefix);
    expect(await refusal(agent.scriptCompleted({}))).toBe("script timing is required");
    expect(await refusal(agent.scriptCompleted({ timing: { ...timing, scriptId: Buffer.from("x") } }))).toBe(
      "script id from bytes: invalid UUID (got 1 bytes)",
    );
    const { start, ...withoutStart } = timing;
    expect(await refusal(agent.scriptCompleted({ timing: withoutStart }))).toBe(
      "script start time is required and cannot be zero",
    );
    expect(
      await refusal(agent.scriptCompleted({ timing: { ...timing, end: { seconds: -62_135_596_800n } } })),
    ).toBe("script end time is required and cannot be zero");
    expect(await refusal(agent.scriptCompleted({ timing: { ...timing, end: { seconds: 9n } } }))).toBe(
      "script start time cannot be after end time",
    );
    expect(start).toBeDefined();
  });
});

describe("S3-M ReportConnection", () => {
  it("stores reports, tolerates any address, refuses what is unknown", async () => {
    const { agent, plane, agentId } = await setup();
    const connection = {
      id: uuid(unknownId),
      action: Connection_Action.CONNECT,
      type: Connection_Type.SSH,
      ip: "localhost",
    };
    await agent.reportConnection({ connection });
    const gone = {
      ...connection,
      action: Connection_Action.DISCONNECT,
      ip: "not an address",
      statusCode: 0,
      reason: "gone",
    };
    await agent.reportConnection({ connection: gone });
    expect((await storedReports(plane, agentId)).connections).toMatchObject([
      { connectionId: unknownId, type: "ssh", ip: "127.0.0.1", statusCode: 0, reason: "gone" },
    ]);
    expect(await refusal(agent.reportConnection({}))).toBe(
      "connection id from bytes: invalid UUID (got 0 bytes)",
    );
    expect(await refusal(agent.reportConnection({ connection: { id: new Uint8Array(16) } }))).toBe(
      "connection ID cannot be nil",
    );
    expect(await refusal(agent.reportConnection({ connection: { ...connection, action: 0 } }))).toBe(
      'unknown agent connection action "ACTION_UNSPECIFIED"',
    );
    expect(await refusal(agent.reportConnection({ connection: { ...connection, type: 0 } }))).toBe(
      'unknown agent connection type "TYPE_UNSPECIFIED"',
    );
  });
});

describe("S3-N sub-agents", () => {
  it("are created with their apps, may connect, are listed and deleted", async () => {
    const { agent, plane, agentId } = await setup();
    const created = await agent.createSubAgent({
      name: "child-agent",
      directory: "/sub",
      displayApps: [DisplayApp.SSH_HELPER],
      apps: [
        { slug: "vim" },
        { slug: "" },
        { slug: "Bad Slug!" },
        { slug: "vim" },
        { slug: "x", share: 9 as CreateSubAgentRequest_App_SharingLevel },
        { slug: "code-server" },
      ],
    });
    expect(created.appCreationErrors.map(({ index, field, error }) => [index, field, error])).toEqual([
      [1, "slug", "must not be empty"],
      [2, "slug", '"Bad Slug!" does not match regex "^[a-z0-9](-?[a-z0-9])*$"'],
      [3, "slug", '"vim" is already in use'],
      [4, "share", '"9" is not a valid app sharing level'],
    ]);
    const childToken = Buffer.from(created.agent?.authToken ?? []).toString("hex");
    const child = await dialled(plane, { token: childToken });
    const manifest = await child.agent.getManifest({});
    expect(manifest).toMatchObject({ agentName: "child-agent", directory: "/sub" });
    expect(manifest.parentId).toEqual(uuid(agentId));
    // the hashes of S3.97
    expect(manifest.apps.map(({ slug }) => slug).sort()).toEqual(["547knu0f-vim", "fdqf0lpd-code-server"]);
    expect((await agent.listSubAgents({})).agents.map(({ name }) => name)).toEqual(["child-agent"]);
    await agent.deleteSubAgent({ id: created.agent?.id ?? new Uint8Array() });
    expect((await agent.listSubAgents({})).agents).toEqual([]);
    await expect(dialled(plane, { token: childToken })).rejects.toMatchObject({ status: 401 });
  });

  it("refuse bad names, taken names, and other agents' children", async () => {
    const { agent, plane } = await setup();
    expect(await refusal(agent.createSubAgent({}))).toBe("field: name detail: agent name cannot be empty");
    expect(await refusal(agent.createSubAgent({ name: "a--b" }))).toBe(
      'field: name detail: agent name "a--b" does not match regex "(?i)^[a-z0-9](-?[a-z0-9])*$"',
    );
    expect(await refusal(agent.createSubAgent({ name: "main" }))).toBe(
      'insert sub agent: pq: workspace agent name "main" already exists in this workspace build',
    );
    expect(await refusal(agent.createSubAgent({ name: "x", displayApps: [9999 as DisplayApp] }))).toBe(
      'field: display_apps[0] detail: "9999" is not a valid display app',
    );
    expect(await refusal(agent.createSubAgent({ id: Buffer.from("x") }))).toBe(
      "parse agent id: invalid UUID (got 1 bytes)",
    );
    expect(await refusal(agent.deleteSubAgent({ id: Buffer.from("x") }))).toBe("invalid UUID (got 1 bytes)");
    expect(await refusal(agent.deleteSubAgent({ id: uuid(unknownId) }))).toBe("sql: no rows in result set");
    const { agent: child } = await agent.createSubAgent({ name: "child" });
    const childConnection = await dialled(plane, {
      token: Buffer.from(child?.authToken ?? []).toString("hex"),
    });
    const { agent: grandchild } = await childConnection.agent.createSubAgent({ name: "grandchild" });
    expect(await refusal(agent.deleteSubAgent({ id: grandchild?.id ?? new Uint8Array() }))).toBe(
      "unauthorized: rbac: forbidden",
    );
    expect(await refusal(agent.createSubAgent({ id: grandchild?.id ?? new Uint8Array() }))).toBe(
      "subagent does not belong to this parent agent",
    );
    const again = await agent.createSubAgent({
      id: child?.id ?? new Uint8Array(),
      directory: "/new",
      displayApps: [DisplayApp.VSCODE],
    });
    expect(again.agent?.name).toBe("child");
  });
});

describe("S3-O ReportBoundaryLogs and S3-P PushContextState", () => {
  it("keeps boundary logs, at most 1,000 of a batch", async () => {
    const { agent, plane, agentId } = await setup();
    const log = (allowed: boolean) => ({
      allowed,
      sequenceNumber: 4,
      resource: {
        case: "httpRequest" as const,
        value: { method: "GET", url: "https://x.test/", matchedRule: "domain=x.test" },
      },
    });
    await agent.reportBoundaryLogs({
      logs: [log(true), log(false), { allowed: true }],
      sessionId: unknownId,
    });
    expect((await storedReports(plane, agentId)).boundaryLogs).toMatchObject([
      { isAllowed: true, matchedRule: "domain=x.test", sessionId: unknownId, sequence: 4 },
      { isAllowed: false, matchedRule: undefined },
    ]);
    const many = Array.from({ length: 1001 }, () => log(true));
    expect(await refusal(agent.reportBoundaryLogs({ logs: many }))).toBe(
      "batch size 1001 exceeds maximum of 1000",
    );
  });

  it("replaces the context by a newer one, or an initial one", async () => {
    const { agent, plane, agentId } = await setup();
    const resource = {
      source: "/AGENTS.md",
      status: 1,
      body: { case: "instructionFile" as const, value: { content: Buffer.from("hi") } },
    };
    const push = (version: bigint, initial = false) =>
      agent.pushContextState({ version, initial, resources: [resource] });
    expect((await push(5n)).accepted).toBe(true);
    expect((await push(5n)).accepted).toBe(false);
    expect((await push(6n)).accepted).toBe(true);
    expect((await push(1n, true)).accepted).toBe(true);
    expect((await storedReports(plane, agentId)).context).toMatchObject({
      version: 1n,
      resources: [
        { source: "/AGENTS.md", kind: "instruction_file", status: "ok", body: { content: "aGk=" } },
      ],
    });
    const bad = async (change: object) =>
      refusal(agent.pushContextState({ version: 9n, resources: [{ ...resource, ...change }] }));
    expect(await refusal(agent.pushContextState({ version: 2n ** 63n }))).toBe(
      "agentapi: PushContextState version 9223372036854775808 exceeds int64 range",
    );
    expect(await bad({ source: "" })).toBe("agentapi: PushContextState resource at index 0 has empty source");
    expect(await bad({ body: { case: undefined } })).toBe(
      'resource "/AGENTS.md": missing body variant; status OK requires a typed body',
    );
    expect(await bad({ status: 9 })).toBe('resource "/AGENTS.md": unknown status 9');
    expect(await refusal(agent.pushContextState({ version: 9n, resources: [resource, resource] }))).toBe(
      'agentapi: PushContextState duplicate source "/AGENTS.md"',
    );
  });
});

describe("every RPC recorded from a real control plane", () => {
  interface Call {
    rpc: string;
    case?: string;
    request: JsonObject;
    response: JsonObject;
  }
  const calls = vectors<Call[]>("calls").filter(({ rpc }) => Agent.methods.some(({ name }) => name === rpc));

  it("is there, and answers with the same type", async () => {
    const { agent } = await setup();
    expect(new Set(calls.map(({ rpc }) => rpc)).size).toBe(Agent.methods.length);
    // ids of that control plane's apps, scripts and sub-agents mean nothing here
    const foreign = new Set(["BatchUpdateAppHealths", "ScriptCompleted", "DeleteSubAgent"]);
    for (const { rpc, case: name, request, response } of calls) {
      const method = Agent.methods.find((m) => m.name === rpc);
      if (method === undefined || foreign.has(rpc) || name?.startsWith("id of")) continue;
      const call = agent[method.localName as "getManifest"] as (message: unknown) => Promise<never>;
      const reply = toJson(method.output, await call(fromJson(method.input, request))) as JsonObject;
      if (/Lifecycle|Startup|PushContext|Interval/.test(rpc) || Object.keys(response).length === 0) {
        expect(reply, `${rpc} ${name}`).toEqual(response);
      }
    }
  });
});
