import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { AdminService, type WatchEventsResponse } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { type ControlPlaneStore, MemoryStore } from "../../src/store/index.js";
import { openEmbeddedStore } from "../../src/store/sql/index.js";
import { busyAgent, reportEverything, sendLines } from "../support/busy-agent.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { failure } from "../support/echo.js";

const adminToken = "an admin token of the test";

async function setup(store: ControlPlaneStore = new MemoryStore()) {
  const plane = await controlPlane(busyAgent, {
    adminToken,
    store,
    metadataIntervalMs: 20,
    streamPingIntervalMs: 50,
  });
  const transport = createConnectTransport({
    baseUrl: plane.url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("Authorization", `Bearer ${adminToken}`);
        return next(request);
      },
    ],
  });
  return { plane, admin: createClient(AdminService, transport), agentId: plane.agents[0]?.id ?? "" };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "agentwire-admin-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const stores: [string, () => Promise<ControlPlaneStore>][] = [
  ["memory", async () => new MemoryStore()],
  ["the embedded store", () => openEmbeddedStore(temporaryFolder())],
];

describe.each(stores)("the admin API about one agent, in %s", (_name, open) => {
  it("tells everything that it has sent", async () => {
    const { plane, admin, agentId } = await setup(await open());
    const connection = await dialled(plane);
    await reportEverything(connection);
    await plane.api.flush();
    const details = await admin.getAgent({ agentId });
    expect(details).toMatchObject({
      owner: "ada",
      workspace: "dev",
      agent: {
        id: agentId,
        status: "connected",
        lifecycleState: "ready",
        version: "v1.2.3",
        directory: "/home/ada/project",
        operatingSystem: "linux",
        sessions: [{ role: "agent", apiVersion: "2.10", remoteAddress: "127.0.0.1" }],
        apps: [
          { slug: "assistant", latestStatus: { state: "working", message: "reading the tests" } },
          { slug: "editor" },
        ],
        logsOverflowed: false,
      },
      metadata: [
        { key: "disk", error: "df: not found" },
        { key: "load", displayName: "Load", value: "0.42", intervalSeconds: 5n },
      ],
      memoryMonitor: { thresholdPercent: 80, isEnabled: true },
      volumeMonitors: [{ path: "/home", thresholdPercent: 90 }],
      stats: [{ connectionCount: 2n, rxBytes: 4096n, sessionsSsh: 1n }],
      boundaryDecisions: [
        { isAllowed: true, method: "GET", url: "https://example.com/ok", matchedRule: "domain=example.com" },
        { isAllowed: false, method: "POST", url: "https://evil.example/steal", matchedRule: "" },
      ],
      scriptRuns: [
        { displayName: "Install tools", stage: "start", status: "ok" },
        { displayName: "Start editor", exitCode: 0 },
        { displayName: "Clone repository", status: "exit_failure", exitCode: 1 },
      ],
      connections: [{ type: "ssh", ip: "192.0.2.7" }],
      maxLogsBytes: 1_048_576n,
    });
    expect(details.metadata[0]?.collectedAt).toBeDefined();
    expect(details.agent?.apps[1]?.latestStatus).toBeUndefined();
    expect(details.connections[0]?.disconnectedAt).toBeUndefined();
    expect(details.logSources.map(({ displayName }) => displayName)).toContain("Build");
    expect(details.resourceSamples).toHaveLength(20);
    expect(details.resourceSamples.at(-1)).toMatchObject({
      volumes: [{ path: "/home", usedBytes: 39n * 1024n ** 3n }],
    });
    expect(details.workspaceAgents.map(({ name, parentId }) => [name, parentId])).toEqual([
      ["main", ""],
      ["devcontainer", agentId],
    ]);
    expect((await admin.getAgent({ agentId, limit: 3 })).resourceSamples).toHaveLength(3);
    await connection.close();
    await eventually(async () => (await admin.getAgent({ agentId })).agent?.status === "disconnected");
    expect((await admin.getAgent({ agentId })).agent?.sessions).toEqual([]);
  });

  it("pages through lines of log, and says when there was no room for more", async () => {
    const { plane, admin, agentId } = await setup(await open());
    const connection = await dialled(plane);
    await sendLines(connection, [
      ["INFO", "one"],
      ["WARN", "two"],
      ["ERROR", "three"],
    ]);
    const first = await admin.listLogs({ agentId, limit: 2 });
    expect(first.lines.map(({ level, output }) => [level, output])).toEqual([
      ["info", "one"],
      ["warn", "two"],
    ]);
    expect(first.isOverflowed).toBe(false);
    const rest = await admin.listLogs({ agentId, after: first.lines[1]?.id ?? 0n });
    expect(rest.lines.map(({ output }) => output)).toEqual(["three"]);
    const tooMuch = Array.from({ length: 11 }, () => ["INFO", "x".repeat(100_000)] as const);
    expect((await sendLines(connection, tooMuch)).logLimitExceeded).toBe(true);
    expect((await admin.listLogs({ agentId })).isOverflowed).toBe(true);
    expect((await admin.getAgent({ agentId })).agent?.logsOverflowed).toBe(true);
  });

  it("lists workspaces with apps and sessions where they are asked for, and only those asked for", async () => {
    const { plane, admin } = await setup(await open());
    await plane.store.define([{ owner: "bob", name: "lab", agents: [{ name: "a1" }] }]);
    await dialled(plane, { role: "a-tool" });
    const all = await admin.listWorkspaces({});
    expect(all.now).toBeDefined();
    expect(all.workspaces.map(({ owner }) => owner)).toEqual(["ada", "bob"]);
    expect(all.workspaces[0]?.agents).toMatchObject([
      { status: "connecting", apps: [], sessions: [{ role: "a-tool" }] },
    ]);
    const workspaceIds = [all.workspaces[0]?.id ?? ""];
    const { workspaces } = await admin.listWorkspaces({ workspaceIds, withApps: true });
    expect(workspaces.map(({ name }) => name)).toEqual(["dev"]);
    expect(workspaces[0]?.agents[0]?.apps.map(({ slug }) => slug)).toEqual(["assistant", "editor"]);
  });
});

describe("the admin API about one agent", () => {
  it("gives its token, and the version to dial with", async () => {
    const { admin, agentId } = await setup();
    expect(await admin.getAgentToken({ agentId })).toMatchObject({ token, apiVersion: "2.10" });
  });

  it("says what is wrong with a request", async () => {
    const { admin, agentId } = await setup();
    const missing = "00000000-0000-4000-8000-000000000000";
    for (const ask of [admin.getAgent, admin.listLogs, admin.getAgentToken]) {
      expect((await failure(ask({ agentId: missing }))).code).toBe(Code.NotFound);
      expect((await failure(ask({ agentId: "main" }))).rawMessage).toBe("agent_id: must be a UUID");
    }
    expect((await failure(admin.getAgent({ agentId, limit: 1001 }))).rawMessage).toBe(
      "limit: must be 0 to 1000",
    );
    expect((await failure(admin.listLogs({ agentId, limit: -1 }))).rawMessage).toBe(
      "limit: must be 0 to 5000",
    );
    expect((await failure(admin.listLogs({ agentId, after: -1n }))).rawMessage).toBe(
      "after: must not be negative",
    );
    expect((await failure(admin.listWorkspaces({ workspaceIds: ["dev"] }))).code).toBe(Code.InvalidArgument);
  });

  it("tells of its lines, its metadata, and of sessions in every role, to who watches it", async () => {
    const { plane, admin, agentId } = await setup();
    const abort = new AbortController();
    const events: WatchEventsResponse[] = [];
    const watching = (async () => {
      const request = { agentId, withSessions: true };
      for await (const event of admin.watchEvents(request, { signal: abort.signal })) events.push(event);
    })().catch(() => {});
    const kinds = () => events.map(({ kind }) => kind);
    await eventually(() => kinds().includes("watching"), "the beginning");
    await eventually(() => kinds().filter((kind) => kind === "alive").length > 1, "signs of life");
    const beside = await dialled(plane, { role: "a-tool" });
    await eventually(() => kinds().includes("session_update"), "the session of the tool");
    expect(kinds()).not.toContain("agt_connection_update");
    await sendLines(beside, [["INFO", "hello"]]);
    await beside.agent.batchUpdateMetadata({ metadata: [{ key: "load", result: { value: "1" } }] });
    await eventually(() => kinds().includes("logs") && kinds().includes("metadata"), "logs and metadata");
    const before = kinds().filter((kind) => kind === "session_update").length;
    await beside.close();
    await eventually(() => kinds().filter((kind) => kind === "session_update").length > before, "the end");
    const aboutAgents = events.filter(({ kind }) => kind !== "watching" && kind !== "alive");
    expect(new Set(aboutAgents.map((event) => event.agentId))).toEqual(new Set([agentId]));
    abort.abort();
    await watching;
    expect((await failure(first(admin.watchEvents({ agentId: "main" })))).code).toBe(Code.InvalidArgument);
  });
});

async function first(events: AsyncIterable<WatchEventsResponse>): Promise<unknown> {
  for await (const event of events) return event;
  return undefined;
}
