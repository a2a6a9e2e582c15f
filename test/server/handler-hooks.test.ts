import { describe, expect, it, vi } from "vitest";
import {
  UpdateAppStatusRequest_AppStatusState as AppState,
  Lifecycle_State,
  Stats_Metric_Type,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import { silentLogger } from "../../src/server/hooks.js";
import type { ControlPlaneOptions, LogFields, Notification } from "../../src/server/index.js";
import type { AgentDefinition, WorkspaceDefinition } from "../../src/store/index.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { failure } from "../support/echo.js";
import { storedReports } from "../support/reports.js";

const sessionId = "11111111-2222-4333-8444-555555555555";

/** A control plane with a task's workspace, and everything that its hooks are told. */
async function hooked(
  agentDefinition: Partial<AgentDefinition> = {},
  workspace: Partial<WorkspaceDefinition> = {},
  more: ControlPlaneOptions = {},
) {
  const sent: Notification[] = [];
  const lines: { message: string; fields: LogFields | undefined }[] = [];
  const note = (message: string, fields?: LogFields) => void lines.push({ message, fields });
  const activity = { onConnections: vi.fn(), onAppStatus: vi.fn() };
  const metrics = { count: vi.fn(), gauge: vi.fn(), observe: vi.fn() };
  const onAgentMetrics = vi.fn();
  let nowUs = 1_800_000_000_000_000;
  const agents = [{ name: "main", token, apps: [{ slug: "ai" }, { slug: "web" }], ...agentDefinition }];
  const plane = await controlPlane(
    {},
    {
      workspaces: [
        {
          owner: "ada",
          name: "dev",
          task: { name: "write it", agent: "main", app: "ai" },
          agents,
          ...workspace,
        },
      ],
      notifications: { send: async (notification) => void sent.push(notification) },
      activity,
      metrics,
      onAgentMetrics,
      log: { ...silentLogger, info: note, warn: note, error: note },
      nowUs: () => nowUs,
      ...more,
    },
  );
  const { agent } = await dialled(plane);
  const agentId = plane.agents[0]?.id ?? "";
  const record = await plane.store.agent(agentId);
  return {
    plane,
    agent,
    agentId,
    workspaceId: record?.workspaceId ?? "",
    sent,
    lines,
    activity,
    metrics,
    onAgentMetrics,
    ready: () =>
      agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.READY, changedAt: { seconds: 1n } } }),
    status: (slug: string, state: AppState) => agent.updateAppStatus({ slug, state, message: "m" }),
    advance: (us: number) => {
      nowUs += us;
    },
  };
}

describe("S3.57 notifications of a task", () => {
  const names: Readonly<Record<string, AppState>> = {
    working: AppState.WORKING,
    idle: AppState.IDLE,
    complete: AppState.COMPLETE,
    failure: AppState.FAILURE,
  };
  const told = ["working", "idle", "complete", "failure"].flatMap((before) =>
    ["working", "idle", "complete", "failure"].map((after) => [before, after, before !== after] as const),
  );

  it.each(told)("from %s to %s: told %s", async (before, after, isTold) => {
    const { ready, status, sent } = await hooked();
    await ready();
    await status("ai", names[before] ?? 0);
    sent.length = 0;
    await status("ai", names[after] ?? 0);
    expect(sent).toHaveLength(isTold ? 1 : 0);
  });

  it.each([
    ["working", false],
    ["idle", true],
    ["complete", true],
    ["failure", true],
  ] as const)("from nothing to %s: told %s", async (after, isTold) => {
    const { ready, status, sent } = await hooked();
    await ready();
    await status("ai", names[after] ?? 0);
    expect(sent).toHaveLength(isTold ? 1 : 0);
  });

  it("say what, to whom, about what, and the minute", async () => {
    const { ready, status, sent, plane, workspaceId } = await hooked();
    await ready();
    await status("ai", AppState.FAILURE);
    const workspace = await plane.store.workspace(workspaceId);
    expect(sent).toEqual([
      {
        kind: "task_failed",
        receiverId: workspace?.ownerId,
        labels: { task: "write it", workspace: "dev" },
        data: { dedupe_bypass_ts: "2027-01-15T08:00:00.000Z" },
        createdBy: "api-workspace-agent-app-status",
        targets: [workspaceId, workspace?.ownerId, workspace?.organizationId, workspace?.task?.appId],
      },
    ]);
  });

  it("are not sent before the agent is ready, of another app, or without a task", async () => {
    const { ready, status, sent } = await hooked();
    await status("ai", AppState.IDLE);
    await ready();
    await status("web", AppState.IDLE);
    expect(sent).toEqual([]);
    const without = await hooked({}, { task: undefined });
    await without.ready();
    await without.status("ai", AppState.IDLE);
    expect(without.sent).toEqual([]);
  });

  it("that cannot be sent do not fail the call", async () => {
    const send = () => Promise.reject(new Error("no mail"));
    const { ready, status, lines, plane, agentId } = await hooked({}, {}, { notifications: { send } });
    await ready();
    await status("ai", AppState.IDLE);
    expect(await plane.store.appStatuses({ agentId }, 5)).toHaveLength(1);
    expect(lines).toContainEqual({
      message: "the notification of an app's status failed",
      fields: { error: "no mail" },
    });
  });
});

describe("S3.58 activity of an app", () => {
  const states = {
    working: AppState.WORKING,
    idle: AppState.IDLE,
    complete: AppState.COMPLETE,
    failure: AppState.FAILURE,
  };
  const names = ["working", "idle", "complete", "failure"] as const;
  const table = names.flatMap((before) =>
    names.map((after) => [before, after, before === "working" || after === "working"] as const),
  );

  it.each(table)("from %s to %s counts: %s", async (before, after, counts) => {
    const { status, activity } = await hooked();
    await status("web", states[before]);
    activity.onAppStatus.mockClear();
    await status("web", states[after]);
    expect(activity.onAppStatus).toHaveBeenCalledTimes(counts ? 1 : 0);
  });

  it.each(names)("from nothing to %s counts only for working", async (after) => {
    const { status, activity } = await hooked();
    await status("web", states[after]);
    expect(activity.onAppStatus).toHaveBeenCalledTimes(after === "working" ? 1 : 0);
  });
});

describe("S3.56 a workspace that nobody has claimed", () => {
  it("has no app status, and has one as soon as it is claimed", async () => {
    const { agent, plane, workspaceId } = await hooked({}, { isPrebuilt: true, task: undefined });
    const report = () => agent.updateAppStatus({ slug: "ai", state: AppState.IDLE });
    expect((await failure(report())).rawMessage).toBe(
      "unexpected status code 500: Workspace identity not cached.",
    );
    await plane.store.claim(workspaceId, "bob", "mine");
    // the build is a new one, with an agent of its own
    const [claimed] = await plane.store.agents(workspaceId);
    const again = await dialled(plane, { token: claimed?.authToken ?? "" });
    await again.agent.updateAppStatus({ slug: "ai", state: AppState.IDLE });
    expect(await plane.store.appStatuses({ workspaceId }, 5)).toMatchObject([{ state: "idle" }]);
  });
});

describe("S3.31, S3.32 stats", () => {
  it("without connections are stored, and are no use of the workspace", async () => {
    const { agent, activity, plane, agentId, workspaceId, onAgentMetrics } = await hooked();
    await agent.updateStats({ stats: { sessionCountSsh: 3n } });
    expect((await storedReports(plane, agentId)).stats).toMatchObject([{ sessionsSsh: 3n }]);
    expect(activity.onConnections).not.toHaveBeenCalled();
    expect((await plane.store.workspace(workspaceId))?.lastUsedAtUs).toBeUndefined();
    expect(onAgentMetrics).not.toHaveBeenCalled();
  });

  it("with connections are use: the hook is told, the time is kept, an event goes out", async () => {
    const { agent, activity, plane, agentId, workspaceId } = await hooked();
    const kinds: unknown[] = [];
    plane.events.onPublish((event) => kinds.push(event.topic === "workspace" && event.kind));
    await agent.updateStats({ stats: { connectionCount: 1n } });
    await plane.api.flush();
    expect(activity.onConnections).toHaveBeenCalledExactlyOnceWith({ workspaceId, agentId });
    expect((await plane.store.workspace(workspaceId))?.lastUsedAtUs).toBe(1_800_000_000_000_000);
    expect(kinds).toEqual(["stats_update"]);
  });

  it("hand on what the agent measures", async () => {
    const { agent, onAgentMetrics, agentId } = await hooked();
    const metric = {
      name: "disk_used",
      type: Stats_Metric_Type.GAUGE,
      value: 7,
      labels: [{ name: "a", value: "b" }],
    };
    await agent.updateStats({ stats: { metrics: [metric] } });
    expect(onAgentMetrics).toHaveBeenCalledOnce();
    expect(onAgentMetrics.mock.calls[0]?.[0]).toMatchObject({ agentId, ownerUsername: "ada" });
    expect(onAgentMetrics.mock.calls[0]?.[1]).toMatchObject([metric]);
  });

  it("do not fail when a hook does", async () => {
    const { agent, lines } = await hooked(
      {},
      {},
      {
        activity: {
          onConnections: () => {
            throw new Error("no");
          },
        },
      },
    );
    await agent.updateStats({ stats: { connectionCount: 1n } });
    expect(lines).toContainEqual({ message: "the activity hook failed", fields: { error: "no" } });
  });
});

describe("S3.72–S3.75 resource monitoring", () => {
  const watched = {
    resourceMonitoring: {
      memory: { thresholdPercent: 80 },
      volumes: [
        { path: "/", thresholdPercent: 90 },
        { path: "/home", thresholdPercent: 50 },
        { path: "/off", thresholdPercent: 1, enabled: false },
      ],
    },
  };
  const full = { used: 95n, total: 100n };
  const empty = { used: 1n, total: 100n };
  const datapoint = (memory: typeof full, ...volumes: [string, typeof full][]) => ({
    collectedAt: { seconds: 1n },
    memory,
    volumes: volumes.map(([volume, use]) => ({ volume, ...use })),
  });

  it("tell of memory, and in one notification of all volumes, once in half an hour", async () => {
    const { agent, sent, plane, agentId, workspaceId, advance } = await hooked(watched);
    const volumes: [string, typeof full][] = [
      ["/", full],
      ["/home", full],
      ["/off", full],
      ["/unknown", full],
    ];
    const push = (point: ReturnType<typeof datapoint>) =>
      agent.pushResourcesMonitoringUsage({ datapoints: [point] });
    await push(datapoint(full, ...volumes));
    const workspace = await plane.store.workspace(workspaceId);
    const about = {
      receiverId: workspace?.ownerId,
      targets: [workspaceId, workspace?.ownerId, workspace?.organizationId],
    };
    expect(sent).toEqual([
      {
        ...about,
        kind: "out_of_memory",
        labels: { workspace: "dev", threshold: "80%" },
        data: { timestamp: "2027-01-15T08:00:00.000Z" },
        createdBy: "workspace-monitor-memory",
      },
      {
        ...about,
        kind: "out_of_disk",
        labels: { workspace: "dev" },
        data: {
          volumes: [
            { path: "/", threshold: "90%" },
            { path: "/home", threshold: "50%" },
          ],
          timestamp: "2027-01-15T08:00:00.000Z",
        },
        createdBy: "workspace-monitor-volumes",
      },
    ]);
    expect(await plane.store.resourceMonitors(agentId)).toMatchObject({
      memory: { state: "nok" },
      volumes: [{ state: "nok" }, { state: "nok" }, { path: "/off", state: "ok" }],
    });
    sent.length = 0;
    await push(datapoint(empty, ["/", empty], ["/home", empty]));
    await push(datapoint(full, ...volumes));
    expect(sent).toEqual([]);
    await push(datapoint(empty, ["/", empty], ["/home", full]));
    advance(30 * 60_000_000 + 1);
    await push(datapoint(full, ...volumes));
    expect(sent.map(({ kind, data }) => [kind, data["volumes"]])).toEqual([
      ["out_of_memory", undefined],
      ["out_of_disk", [{ path: "/", threshold: "90%" }]],
    ]);
  });

  it("fail with what failed of memory and of volumes", async () => {
    const send = () => Promise.reject(new Error("no mail"));
    const { agent } = await hooked(watched, {}, { notifications: { send } });
    const push = agent.pushResourcesMonitoringUsage({ datapoints: [datapoint(full, ["/", full])] });
    expect((await failure(push)).rawMessage).toBe(
      "monitor memory: notify workspace OOM: no mail\nmonitor volume: notify workspace OOD: no mail",
    );
  });

  it("look at one push of an agent after the other", async () => {
    const { agent, sent } = await hooked(watched);
    const push = () => agent.pushResourcesMonitoringUsage({ datapoints: [datapoint(full)] });
    await Promise.all([push(), push(), push()]);
    expect(sent).toHaveLength(1);
  });
});

describe("S3.104–S3.108 boundary logs", () => {
  const entry = (allowed: boolean, sequenceNumber: number) => ({
    allowed,
    sequenceNumber,
    time: { seconds: 1_700_000_000n, nanos: 120_000_000 },
    resource: {
      case: "httpRequest" as const,
      value: { method: "GET", url: "https://x.test/?q", matchedRule: "domain=x.test" },
    },
  });

  it("are a log line each, with exactly these fields", async () => {
    const { agent, lines, workspaceId } = await hooked();
    await agent.reportBoundaryLogs({ sessionId, logs: [entry(true, 0), entry(false, 1)] });
    const nil = "00000000-0000-0000-0000-000000000000";
    const fields = {
      owner: "ada",
      workspace_name: "dev",
      agent_name: "main",
      session_id: sessionId,
      workspace_id: workspaceId,
      template_id: nil,
      template_version_id: nil,
      http_method: "GET",
      http_url: "https://x.test/?q",
      event_time: "2023-11-14T22:13:20.12Z",
    };
    expect(lines).toEqual([
      {
        message: "boundary_request",
        fields: { ...fields, decision: "allow", sequence_number: 0, matched_rule: "domain=x.test" },
      },
      { message: "boundary_request", fields: { ...fields, decision: "deny", sequence_number: 1 } },
    ]);
  });

  it("are stored with their session, which is stored once for a connection", async () => {
    const { agent, plane, agentId } = await hooked();
    const sessions = vi.spyOn(plane.store, "insertBoundarySession");
    await agent.reportBoundaryLogs({ sessionId, confinedProcessName: "claude", logs: [entry(true, 0)] });
    await agent.reportBoundaryLogs({ sessionId, confinedProcessName: "claude", logs: [entry(false, 1)] });
    expect(sessions).toHaveBeenCalledOnce();
    expect(sessions.mock.calls[0]?.[0]).toMatchObject({ id: sessionId, confinedProcessName: "claude" });
    expect((await plane.store.reports(agentId, 10)).boundaryLogs).toMatchObject([
      { sequence: 0, isAllowed: true, matchedRule: "domain=x.test", atUs: 1_700_000_000_120_000 },
      { sequence: 1, isAllowed: false, matchedRule: undefined },
    ]);
  });

  it.each(["", "not a uuid"])("with the session %j are lines only", async (id) => {
    const { agent, plane, agentId, lines } = await hooked();
    await agent.reportBoundaryLogs({ sessionId: id, logs: [entry(true, 0)] });
    expect(lines.filter(({ message }) => message === "boundary_request")).toHaveLength(1);
    expect((await plane.store.reports(agentId, 10)).boundaryLogs).toEqual([]);
  });

  it("do not fail when they cannot be stored, and a session is tried again", async () => {
    const { agent, plane } = await hooked();
    const sessions = vi.spyOn(plane.store, "insertBoundarySession").mockRejectedValueOnce(new Error("no"));
    await agent.reportBoundaryLogs({ sessionId, logs: [entry(true, -1)] });
    await agent.reportBoundaryLogs({ sessionId, logs: [entry(true, 0)] });
    expect(sessions).toHaveBeenCalledTimes(2);
  });
});

describe("S3-B a manifest", () => {
  it("S3.19 has the owner's secrets that have a place to go, by name", async () => {
    const { agent, plane } = await hooked();
    const value = Buffer.from([0xff, 0x00]);
    await plane.store.setSecret("ada", "z", { envName: "Z", filePath: "", value });
    await plane.store.setSecret("ada", "a", { envName: "", filePath: "~/.a", value });
    await plane.store.setSecret("ada", "nowhere", { envName: "", filePath: "", value });
    const { secrets } = await agent.getManifest({});
    expect(secrets).toMatchObject([
      { envName: "", filePath: "~/.a" },
      { envName: "Z", filePath: "" },
    ]);
    expect(Buffer.from(secrets[0]?.value ?? [])).toEqual(value);
  });

  it.each([
    ["", "https://example.com", ""],
    ["*.apps.example.com", "https://example.com", "https://{{port}}--main--dev--ada.apps.example.com"],
    [
      "*--apps.example.com",
      "http://example.com:8080",
      "http://{{port}}--main--dev--ada--apps.example.com:8080",
    ],
    [
      "*.apps.example.com:9090",
      "https://example.com:8080",
      "https://{{port}}--main--dev--ada.apps.example.com:9090",
    ],
  ])("S3.15 with the app host %j at %s has the port proxy %j", async (appHostname, accessUrl, expected) => {
    const { agent } = await hooked({}, {}, { manifest: { appHostname, accessUrl } });
    expect((await agent.getManifest({})).vsCodePortProxyUri).toBe(expected);
  });

  it("S3.17 names the host of an app that has one of its own; slugs like ports need the agent too", async () => {
    const apps = [{ slug: "8080", subdomain: true }, { slug: "code", subdomain: true }, { slug: "path" }];
    const { agent } = await hooked(
      { apps },
      {},
      { manifest: { appHostname: "*.x.test", gitAuthConfigs: 2 } },
    );
    const manifest = await agent.getManifest({});
    expect(manifest.apps.map(({ subdomainName }) => subdomainName)).toEqual([
      "8080--main--dev--ada",
      "code--dev--ada",
      "",
    ]);
    expect(manifest.gitAuthConfigs).toBe(2);
  });
});

describe("S3.38 the duration of a build", () => {
  it("is observed once, when all of its agents have started, with the worst of their ends", async () => {
    const other = "22222222-1b7d-4e0a-9c55-0d1f2b3a4c5d";
    const agents = [
      { name: "main", token },
      { name: "second", token: other },
    ];
    const { agent, metrics, plane } = await hooked({}, { agents, task: undefined });
    const second = await dialled(plane, { token: other });
    const at = (seconds: number) => ({ seconds: BigInt(Math.floor(Date.now() / 1000) + seconds) });
    await second.agent.updateLifecycle({
      lifecycle: { state: Lifecycle_State.START_TIMEOUT, changedAt: at(100) },
    });
    expect(metrics.observe.mock.calls.filter(([name]) => String(name).includes("build_duration"))).toEqual(
      [],
    );
    await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.READY, changedAt: at(50) } });
    await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.READY, changedAt: at(60) } });
    const observed = metrics.observe.mock.calls.filter(([name]) => String(name).includes("build_duration"));
    expect(observed).toHaveLength(1);
    expect(observed[0]?.[1]).toBeGreaterThan(95);
    expect(observed[0]?.[1]).toBeLessThan(105);
    expect(observed[0]?.[2]).toMatchObject({ status: "timeout", transition: "start", is_prebuild: "false" });
  });
});

describe("S8 metrics of connections", () => {
  it("count those that are open, and how long they were", async () => {
    const { plane, metrics } = await hooked();
    const labels = { path: "/api/v2/workspaceagents/me/rpc" };
    const tool = await dialled(plane, { role: "tool" });
    await tool.close();
    await eventually(() => metrics.gauge.mock.calls.length === 3, "the end of the tool's connection");
    expect(metrics.gauge.mock.calls).toEqual([
      ["coderd_api_concurrent_websockets", 1, labels],
      ["coderd_api_concurrent_websockets", 1, labels],
      ["coderd_api_concurrent_websockets", -1, labels],
    ]);
    const durations = metrics.observe.mock.calls.filter(([name]) =>
      String(name).includes("websocket_durations"),
    );
    expect(durations).toHaveLength(1);
    expect(durations[0]?.[1]).toBeGreaterThan(0);
  });
});

describe("what is private", () => {
  it("reaches no log line, no event, no metric and no error text", async () => {
    const canaries = ["canary-env", "canary-secret", "canary-script", token];
    const { agent, plane, lines, metrics } = await hooked({
      environment: { A: "canary-env" },
      scripts: [{ displayName: "s", script: "echo canary-script" }],
    });
    await plane.store.setSecret("ada", "s", {
      envName: "S",
      filePath: "",
      value: Buffer.from("canary-secret"),
    });
    const events: unknown[] = [];
    plane.events.onPublish((event) => events.push(event));
    await agent.getManifest({});
    const errors: unknown[] = [];
    for (const read of ["secrets", "manifestRecords", "workspace", "agent"] as const) {
      vi.spyOn(plane.store, read).mockRejectedValueOnce(new Error("the store fails"));
      errors.push(await failure(agent.getManifest({})));
    }
    await agent.reportBoundaryLogs({ sessionId, logs: [{ allowed: true }] });
    const said = JSON.stringify([lines, events, metrics.observe.mock.calls, errors.map(String)]);
    for (const canary of canaries) expect(said).not.toContain(canary);
    expect(errors).toHaveLength(4);
  });
});

describe("onSession", () => {
  it("that throws is logged, as is what it returns; the session goes on", async () => {
    const broken = (): never => {
      throw new Error("the hook is broken");
    };
    let count = 0;
    const { plane, agent, lines } = await hooked(
      {},
      {},
      { onSession: () => (count++ === 0 ? broken() : broken) },
    );
    expect((await agent.getManifest({})).agentName).toBe("main");
    const second = await dialled(plane);
    await second.close();
    await eventually(() => lines.length === 2);
    expect(lines).toEqual([
      { message: "onSession failed", fields: { error: "the hook is broken" } },
      { message: "the end of onSession failed", fields: { error: "the hook is broken" } },
    ]);
    expect(plane.api.sessionCount).toBe(1);
  });
});
