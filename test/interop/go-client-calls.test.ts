import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { DERPMapSchema } from "../../src/gen/coder/tailnet/v2/derp_map_pb.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { agentRpc, goCall, goDial, goFailure } from "./support/go-client.js";
import { uuidB64, uuidOf, Workspace } from "./support/workspace.js";

const at = "2026-09-01T10:20:30.123456Z";
const atUs = Date.parse("2026-09-01T10:20:30Z") * 1000 + 123_456;

describe("these tests", () => {
  it("know of all RPCs of the agent service", () => {
    expect(Agent.methods).toHaveLength(19);
  });
});

describeWithGo("what a Go client is told by our server", () => {
  it("S3.14–S3.21 GetManifest: everything that is declared", async () => {
    const regions = {
      1: { regionId: 1n, regionCode: "eu", nodes: [{ name: "1a", hostName: "relay.test" }] },
    };
    const derpMap = create(DERPMapSchema, { homeParams: {}, regions });
    const workspace = await Workspace.start({ derpMap: () => derpMap });
    const { scripts, apps, devcontainers, ...manifest } = await workspace.call("GetManifest");
    expect(manifest).toEqual({
      agentId: uuidB64(workspace.agentId),
      agentName: "main",
      ownerUsername: "ada",
      workspaceId: uuidB64((await workspace.agent())?.workspaceId ?? ""),
      workspaceName: "dev",
      environmentVariables: { EDITOR: "vi", LANG: "de_DE.UTF-8" },
      directory: "/projects",
      motdPath: "/etc/motd",
      derpMap: {
        homeParams: {},
        regions: {
          1: { regionId: "1", regionCode: "eu", nodes: [{ name: "1a", hostName: "relay.test" }] },
        },
      },
      // seconds, written as nanoseconds: S3.18
      metadata: [
        {
          displayName: "CPU",
          key: "cpu",
          script: "top",
          interval: "0.000000010s",
          timeout: "0.000000003s",
        },
      ],
    });
    expect(scripts).toEqual([
      expect.objectContaining({
        id: expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/),
        logSourceId: expect.stringMatching(/^[A-Za-z0-9+/]{22}==$/),
        script: "echo hello",
        cron: "0 0 * * *",
        runOnStart: true,
        startBlocksLogin: true,
        timeout: "30s",
        logPath: "~/start.log",
      }),
    ]);
    expect(apps).toEqual([
      {
        id: uuidB64(await workspace.appId("plain")),
        slug: "plain",
        displayName: "plain",
        command: "htop",
        external: true,
        hidden: true,
        sharingLevel: "OWNER",
        healthcheck: { interval: "0s" },
        health: "DISABLED",
      },
      {
        id: uuidB64(await workspace.appId("web")),
        slug: "web",
        displayName: "Web",
        url: "http://localhost:8080",
        icon: "/icon/web.svg",
        sharingLevel: "ORGANIZATION",
        healthcheck: { url: "http://localhost:8080/healthz", interval: "5s", threshold: 6 },
        health: "INITIALIZING",
      },
    ]);
    expect(devcontainers).toEqual([
      {
        id: expect.any(String),
        workspaceFolder: "/projects/box",
        configPath: "/projects/box/dc.json",
        name: "box",
      },
    ]);
  });

  it("S3.24, S3.25 GetServiceBanner and GetAnnouncementBanners", async () => {
    const none = await Workspace.start();
    expect(await none.call("GetServiceBanner")).toEqual({});
    expect(await none.call("GetAnnouncementBanners")).toEqual({});
    const banners = [
      { enabled: true, message: "Maintenance at noon", backgroundColor: "#ff0000" },
      { enabled: false, message: "old", backgroundColor: "" },
    ];
    const some = await Workspace.start({ banners: () => banners });
    expect(await some.call("GetServiceBanner")).toEqual(banners[0]);
    expect(await some.call("GetAnnouncementBanners")).toEqual({
      announcementBanners: [banners[0], { message: "old" }],
    });
  });

  it("S3.67 GetResourcesMonitoringConfiguration: a positive interval, monitors as declared", async () => {
    const workspace = await Workspace.start();
    expect(await workspace.call("GetResourcesMonitoringConfiguration")).toEqual({
      config: { numDatapoints: 20, collectionIntervalSeconds: 10 },
      memory: { enabled: true },
      volumes: [{ enabled: true, path: "/" }, { path: "/home" }],
    });
  });
});

describeWithGo("what a Go client tells our server of its agent", () => {
  it("S3.27, S3.28 UpdateStats: the interval; stats are kept when there are some", async () => {
    const workspace = await Workspace.start({ statsIntervalMs: 1500 });
    expect(await workspace.call("UpdateStats")).toEqual({ reportInterval: "1.500s" });
    expect((await workspace.reports()).stats).toEqual([]);
    const stats = {
      connectionsByProto: { ssh: "1" },
      connectionCount: "1",
      connectionMedianLatencyMs: 1.25,
      rxBytes: "9007199254740993",
      sessionCountSsh: "2",
      metrics: [{ name: "m", type: "GAUGE", value: 0.5, labels: [{ name: "l", value: "v" }] }],
    };
    expect(await workspace.call("UpdateStats", { stats })).toEqual({ reportInterval: "1.500s" });
    expect((await workspace.reports()).stats).toMatchObject([
      { connectionCount: 1n, connectionMedianLatencyMs: 1.25, rxBytes: 9007199254740993n, sessionsSsh: 2n },
    ]);
  });

  it("S3.35–S3.38 UpdateLifecycle: the echo, the state and its times, an event for each", async () => {
    const workspace = await Workspace.start();
    const kinds: unknown[] = [];
    workspace.plane.events.onPublish((event) => kinds.push(event.topic === "workspace" && event.kind));
    const starting = { state: "STARTING", changedAt: at };
    expect(await workspace.call("UpdateLifecycle", { lifecycle: starting })).toEqual(starting);
    expect(await workspace.agent()).toMatchObject({ lifecycleState: "starting", startedAtUs: atUs });
    const ready = { state: "READY", changedAt: "2026-09-01T10:20:31Z" };
    expect(await workspace.call("UpdateLifecycle", { lifecycle: ready })).toEqual(ready);
    expect(await workspace.agent()).toMatchObject({ lifecycleState: "ready", startedAtUs: atUs });
    expect(kinds.filter((kind) => kind === "agt_lifecycle_update")).toHaveLength(2);
  });

  it("S3.36 UpdateLifecycle: Go's zero time means now, none at all means 1970", async () => {
    const workspace = await Workspace.start();
    const zero = { state: "STARTING", changedAt: "0001-01-01T00:00:00Z" };
    const { changedAt } = await workspace.call("UpdateLifecycle", { lifecycle: zero });
    expect(Math.abs(Date.parse(String(changedAt)) - Date.now())).toBeLessThan(60_000);
    expect(await workspace.call("UpdateLifecycle", { lifecycle: { state: "STARTING" } })).toEqual({
      state: "STARTING",
    });
    expect((await workspace.agent())?.startedAtUs).toBe(0);
  });

  it("S3.39, S3.41 UpdateStartup: the echo untouched, subsystems stored once and in order", async () => {
    const workspace = await Workspace.start({}, { version: "2.9" });
    const startup = {
      version: "v2.30.1-rc.1+abc",
      expandedDirectory: "/home/ada/work",
      subsystems: ["EXECTRACE", "ENVBOX", "EXECTRACE"],
    };
    expect(await workspace.call("UpdateStartup", { startup })).toEqual(startup);
    expect(await workspace.agent()).toMatchObject({
      version: "v2.30.1-rc.1+abc",
      apiVersion: "2.9",
      expandedDirectory: "/home/ada/work",
      subsystems: ["envbox", "exectrace"],
    });
  });

  it("S3.59–S3.62 BatchUpdateMetadata: trimmed, cut, and with our time", async () => {
    const workspace = await Workspace.start();
    const send = (result: Facts, key = "cpu") =>
      workspace.call("BatchUpdateMetadata", { metadata: [{ key, result }] });
    const stored = async () => (await workspace.reports()).metadata[0];
    await send({ value: " 42% \n", collectedAt: at });
    expect(await stored()).toMatchObject({ value: "42%", error: "" });
    expect((await stored())?.collectedAtUs).not.toBe(atUs);
    await send({ value: "x".repeat(3000) });
    expect(await stored()).toMatchObject({
      value: "x".repeat(2048),
      error: "value of 3000 bytes exceeded 2048 bytes",
    });
    expect(await send({ value: "gone" }, "no such key")).toEqual({});
    expect(await workspace.call("BatchUpdateMetadata")).toEqual({});
  });

  it("S3.76–S3.83 BatchCreateLogs: lines in order, with level and source", async () => {
    const workspace = await Workspace.start();
    const logSourceId = uuidB64("11111111-2222-4333-8444-555555555555");
    const logs = [
      { createdAt: at, output: "first", level: "WARN" },
      { output: "zweite Zeile ✓", level: "LEVEL_UNSPECIFIED" },
      { output: "nul\u0000here", level: "ERROR" },
    ];
    expect(await workspace.call("BatchCreateLogs", { logSourceId, logs })).toEqual({});
    const nobody = uuidB64("00000000-0000-0000-0000-000000000000");
    await workspace.call("BatchCreateLogs", { logSourceId: nobody, logs: [{ output: "external" }] });
    expect(await workspace.plane.store.logs(workspace.agentId, 0, 10)).toMatchObject([
      { output: "first", level: "warn", logSourceId: "11111111-2222-4333-8444-555555555555" },
      { output: "zweite Zeile ✓", level: "info" },
      { output: "nul❌here", level: "error" },
      { output: "external", logSourceId: "3b579bf4-1ed8-4b99-87a8-e9a1e3410410" },
    ]);
  });

  it("S3.81 BatchCreateLogs: a batch over the limit is refused as a whole, and all after it", async () => {
    const workspace = await Workspace.start();
    const logSourceId = uuidB64("11111111-2222-4333-8444-555555555555");
    const big = { logSourceId, logs: Array.from({ length: 2 }, () => ({ output: "x".repeat(500_000) })) };
    expect(await workspace.call("BatchCreateLogs", big)).toEqual({});
    expect(await workspace.call("BatchCreateLogs", big)).toEqual({ logLimitExceeded: true });
    const small = { logSourceId, logs: [{ output: "x" }] };
    expect(await workspace.call("BatchCreateLogs", small)).toEqual({ logLimitExceeded: true });
    expect(await workspace.plane.store.logs(workspace.agentId, 0, 10)).toHaveLength(2);
    expect(await workspace.agent()).toMatchObject({ logsLength: 1_000_000, logsOverflowed: true });
  });

  it("S3.86 ScriptCompleted: one entry for each run", async () => {
    const workspace = await Workspace.start();
    const { scripts } = (await workspace.call("GetManifest")) as { scripts: { id: string }[] };
    const timing = {
      scriptId: scripts[0]?.id,
      start: at,
      end: "2026-09-01T10:20:31Z",
      exitCode: -1,
      stage: "CRON",
      status: "PIPES_LEFT_OPEN",
    };
    expect(await workspace.call("ScriptCompleted", { timing })).toEqual({});
    expect((await workspace.reports()).scriptTimings).toMatchObject([
      { startedAtUs: atUs, exitCode: -1, stage: "cron", status: "pipes_left_open" },
    ]);
    expect((await workspace.refusal("ScriptCompleted", { timing })).text).toContain(
      "insert workspace agent script timings into database: ",
    );
  });

  it("S3.69 PushResourcesMonitoringUsage", async () => {
    const workspace = await Workspace.start();
    const datapoints = [
      { collectedAt: at, memory: { used: "1", total: "9007199254740993" } },
      { collectedAt: at, volumes: [{ volume: "/", used: "5", total: "10" }] },
    ];
    expect(await workspace.call("PushResourcesMonitoringUsage", { datapoints })).toEqual({});
    expect((await workspace.reports()).resourceSamples).toMatchObject([
      { collectedAtUs: atUs, memory: { usedBytes: 1n, totalBytes: 9007199254740993n } },
      { memory: undefined, volumes: [{ path: "/", usedBytes: 5n, totalBytes: 10n }] },
    ]);
  });
});

describeWithGo("what a Go client tells our server of apps, people and other agents", () => {
  it("S3.42–S3.46 BatchUpdateAppHealths: an event only when something has changed", async () => {
    const workspace = await Workspace.start();
    const kinds: unknown[] = [];
    workspace.plane.events.onPublish((event) => kinds.push(event.topic === "workspace" && event.kind));
    const updates = [{ id: uuidB64(await workspace.appId("web")), health: "HEALTHY" }];
    expect(await workspace.call("BatchUpdateAppHealths", { updates })).toEqual({});
    expect(await workspace.call("BatchUpdateAppHealths", { updates })).toEqual({});
    expect(await workspace.call("BatchUpdateAppHealths", { updates: [] })).toEqual({});
    const apps = await workspace.plane.store.apps(workspace.agentId);
    expect(apps.map(({ slug, health }) => [slug, health])).toEqual([
      ["plain", "disabled"],
      ["web", "healthy"],
    ]);
    expect(kinds.filter((kind) => kind === "app_health")).toHaveLength(1);
  });

  it("S3.53, S3.54 UpdateAppStatus: an entry for each, also for the same again", async () => {
    const workspace = await Workspace.start();
    const message = "ü".repeat(80); // 160 bytes
    const status = { slug: "web", state: "COMPLETE", message, uri: "https://example.com/pr/1" };
    expect(await workspace.call("UpdateAppStatus", status)).toEqual({});
    expect(await workspace.call("UpdateAppStatus", { ...status, uri: "" })).toEqual({});
    expect((await workspace.reports()).appStatuses).toMatchObject([
      { state: "complete", message, uri: "https://example.com/pr/1", appId: await workspace.appId("web") },
      { state: "complete", message, uri: undefined },
    ]);
  });

  it("S3.88, S3.89 ReportConnection", async () => {
    const workspace = await Workspace.start();
    const id = "11111111-2222-4333-8444-555555555555";
    const connection = { id: uuidB64(id), action: "CONNECT", type: "SSH", timestamp: at, ip: "localhost" };
    expect(await workspace.call("ReportConnection", { connection })).toEqual({});
    const end = { ...connection, action: "DISCONNECT", ip: "not an ip", statusCode: 0, reason: "bye" };
    expect(await workspace.call("ReportConnection", { connection: end })).toEqual({});
    expect((await workspace.reports()).connections).toMatchObject([
      { connectionId: id, connectedAtUs: atUs, type: "ssh", ip: "127.0.0.1", statusCode: 0, reason: "bye" },
    ]);
  });

  it("S3.91–S3.101 CreateSubAgent, ListSubAgents, DeleteSubAgent: the token works as long as the agent is", async () => {
    const workspace = await Workspace.start();
    const created = (await workspace.call("CreateSubAgent", {
      name: "child-agent",
      directory: "/workspaces/child",
      architecture: "amd64",
      operatingSystem: "linux",
      apps: [{ slug: "code-server", url: "http://localhost:1", share: "PUBLIC" }, { slug: "No" }],
      displayApps: ["VSCODE", "WEB_TERMINAL"],
    })) as { agent: { name: string; id: string; authToken: string }; appCreationErrors: unknown };
    expect(created.appCreationErrors).toEqual([
      { index: 1, field: "slug", error: '"No" does not match regex "^[a-z0-9](-?[a-z0-9])*$"' },
    ]);
    expect(await workspace.call("ListSubAgents")).toEqual({ agents: [created.agent] });

    const childToken = uuidOf(created.agent.authToken);
    const child = await goDial(workspace.peer, workspace.plane, { token: childToken });
    const manifest = await goCall(workspace.peer, child, agentRpc("GetManifest"));
    expect(manifest).toMatchObject({
      agentName: "child-agent",
      parentId: uuidB64(workspace.agentId),
      apps: [{ slug: "fdqf0lpd-code-server", sharingLevel: "PUBLIC" }],
    });

    expect(await workspace.call("DeleteSubAgent", { id: created.agent.id })).toEqual({});
    expect(await workspace.call("ListSubAgents")).toEqual({});
    const redial = goDial(workspace.peer, workspace.plane, { token: childToken });
    expect(await goFailure(redial)).toMatchObject({ status: 401 });
  });

  it("S3.103–S3.107 ReportBoundaryLogs", async () => {
    const workspace = await Workspace.start();
    const sessionId = "22222222-2222-4333-8444-555555555555";
    const httpRequest = { method: "GET", url: "https://example.com/", matchedRule: "domain=example.com" };
    const logs = [
      { allowed: true, time: at, httpRequest, sequenceNumber: 1 },
      { allowed: false, time: at, httpRequest, sequenceNumber: 2 },
      { allowed: true },
    ];
    const request = { logs, sessionId, confinedProcessName: "agent" };
    expect(await workspace.call("ReportBoundaryLogs", request)).toEqual({});
    expect((await workspace.reports()).boundaryLogs).toMatchObject([
      { sessionId, sequence: 1, isAllowed: true, atUs, matchedRule: "domain=example.com" },
      { sequence: 2, isAllowed: false, matchedRule: undefined },
    ]);
  });

  it("S3.110–S3.112 PushContextState: accepted, replayed, begun anew", async () => {
    const workspace = await Workspace.start();
    const resources = [
      { source: "a", status: "OK", sizeBytes: "3", instructionFile: { content: "YWJj" } },
      { source: "b", sourcePath: "/b", status: "INVALID", error: "no", skill: { name: "s" } },
    ];
    const push = { version: "5", aggregateHash: "AQI=", resources };
    expect(await workspace.call("PushContextState", push)).toEqual({ accepted: true });
    expect(await workspace.call("PushContextState", push)).toEqual({});
    expect((await workspace.reports()).context).toMatchObject({
      version: 5n,
      resources: [
        { source: "a", status: "ok", kind: "instruction_file", sizeBytes: 3n, body: { content: "YWJj" } },
        { source: "b", sourcePath: "/b", status: "invalid", error: "no", kind: "skill", body: { name: "s" } },
      ],
    });
    const anew = { version: "1", initial: true };
    expect(await workspace.call("PushContextState", anew)).toEqual({ accepted: true });
    expect((await workspace.reports()).context).toMatchObject({ version: 1n, resources: [] });
  });
});
