import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { type AgentEvent, type AgentOptions, createAgent } from "../../src/agent/index.js";
import { parseUuid } from "../../src/codec/index.js";
import { eventually, token } from "../support/control-plane.js";
import { describeWithGo } from "../support/go-peer.js";
import { agentRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const b64 = (uuid: string) => Buffer.from(parseUuid(uuid) ?? "").toString("base64");
const agentId = b64("11111111-1111-4111-8111-111111111111");
const workspaceId = b64("22222222-2222-4222-8222-222222222222");
const scriptId = b64("33333333-3333-4333-8333-333333333333");
const sourceId = b64("44444444-4444-4444-8444-444444444444");

const manifest = {
  agentId,
  workspaceId,
  agentName: "main",
  workspaceName: "dev",
  ownerUsername: "ada",
  scripts: [
    { id: scriptId, logSourceId: sourceId, script: "echo hello", runOnStart: true, timeout: "10s" },
    { id: scriptId, logSourceId: sourceId, script: "echo bye", runOnStop: true, timeout: "10s" },
  ],
  metadata: [{ key: "load", script: "echo 1", interval: "0.000000001s", timeout: "0.000000001s" }],
};

/** An agent on a Go server with a manifest; its sockets are its own. */
async function agentOnGo(reply: object = manifest, options: Partial<AgentOptions> = {}) {
  const server = await GoServer.start();
  await server.script(agentRpc("GetManifest"), { reply });
  await server.script(agentRpc("UpdateStats"), { reply: { reportInterval: "1s" } });
  await server.script(agentRpc("GetResourcesMonitoringConfiguration"), {
    reply: { config: { numDatapoints: 1, collectionIntervalSeconds: 1 }, memory: { enabled: true } },
  });
  const folder = await mkdtemp(join(tmpdir(), "agentwire-agent-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const events: AgentEvent[] = [];
  const agent = createAgent({
    dial: { url: server.url, token, proxy: false },
    buildVersion: "v1.2.3",
    onEvent: (event) => events.push(event),
    backoff: { firstMs: 1, maxMs: 10 },
    ...options,
    parts: {
      socket: { path: join(folder, "agent.sock") },
      boundaryLogs: { path: join(folder, "boundary.sock") },
      scripts: { logDirectory: folder },
      ...options.parts,
    },
  });
  onTestFinished(() => agent.stop().then(() => {}));
  const called = (method: string, count = 1) =>
    eventually(
      async () => (await server.calls(agentRpc(method))).length >= count,
      `${count} calls of ${method}`,
      10_000,
    );
  return { server, agent, events, called };
}

const warnings = (events: readonly AgentEvent[]) => events.filter(({ kind }) => kind === "warning");

describeWithGo("an agent on a Go control plane", () => {
  it("C4.25–C4.31, C4.86 lives and ends without an error line on either side", async () => {
    const { server, agent, events, called } = await agentOnGo();
    await called("UpdateLifecycle", 2);
    await called("BatchUpdateMetadata");
    await called("UpdateStats", 2);
    await called("PushResourcesMonitoringUsage");
    await called("ScriptCompleted");
    await called("BatchCreateLogs");
    await called("PushContextState");
    expect(await agent.stop()).toEqual({ error: undefined, unsent: [] });

    const states = (await server.calls(agentRpc("UpdateLifecycle"))).map(
      ({ json }) => (json as { lifecycle: { state: string } }).lifecycle.state,
    );
    expect(states).toEqual(["STARTING", "READY", "SHUTTING_DOWN", "OFF"]);
    const [startup] = await server.calls(agentRpc("UpdateStartup"));
    expect(startup?.json).toMatchObject({ startup: { version: "v1.2.3" } });
    const lines = (await server.calls(agentRpc("BatchCreateLogs"))).flatMap(({ json }) =>
      (json as { logs: { output: string }[] }).logs.map(({ output }) => output),
    );
    expect(lines).toEqual(["hello", "bye"]);
    const timings = (await server.calls(agentRpc("ScriptCompleted"))).map(
      ({ json }) => (json as { timing: { stage?: string } }).timing.stage ?? "START",
    );
    expect(timings).toEqual(["START", "STOP"]);
    expect(events.filter(({ kind }) => kind === "disconnected")).toEqual([]);
    expect(warnings(events)).toEqual([]);
    expect(server.sessions).toHaveLength(1);
    expect(server.peer.complaints).toEqual([]);
    const ends = () => server.peer.events.filter(({ event }) => event === "sessionEnd");
    await eventually(() => ends().length === 1, "the end on the Go side");
    expect(ends()[0]).toMatchObject({ closeCode: 1000 });
  });

  it.each([
    ["unimplemented", { unimplemented: true }],
    ["unknown", { missing: true }],
  ])("C10 lives on a server that has only the RPCs of 2.0, the others being %s", async (_name, behaviour) => {
    const { server, agent, events, called } = await agentOnGo();
    for (const method of [
      "GetAnnouncementBanners",
      "ScriptCompleted",
      "GetResourcesMonitoringConfiguration",
      "PushResourcesMonitoringUsage",
      "ReportConnection",
      "CreateSubAgent",
      "DeleteSubAgent",
      "ListSubAgents",
      "ReportBoundaryLogs",
      "UpdateAppStatus",
      "PushContextState",
    ]) {
      await server.script(agentRpc(method), behaviour);
    }
    // what has been answered before belongs to the connection before
    await server.peer.do("close", { handle: Number(server.sessions[0]?.["session"] ?? 0) }).catch(() => {});
    await called("UpdateLifecycle", 2);
    await called("BatchUpdateMetadata");
    await called("BatchCreateLogs");
    const connections = server.sessions.length;
    await called("UpdateStats", 3);
    expect(server.sessions).toHaveLength(connections);
    expect(await agent.stop()).toMatchObject({ error: undefined });
    expect(warnings(events)).toEqual([]);
  });

  it("C4.29 takes a new manifest with each connection, and runs start scripts once", async () => {
    const { server, events, called } = await agentOnGo();
    await called("UpdateLifecycle", 2);
    await server.script(agentRpc("GetManifest"), {
      reply: { ...manifest, metadata: [{ key: "second", script: "echo 2", interval: "0.000000001s" }] },
    });
    await server.peer.do("close", { handle: Number(server.sessions.at(-1)?.["session"]) });
    const keys = async () =>
      (await server.calls(agentRpc("BatchUpdateMetadata"))).flatMap(({ json }) =>
        (json as { metadata: { key: string }[] }).metadata.map(({ key }) => key),
      );
    await eventually(async () => (await keys()).includes("second"), "the second manifest's metadata", 10_000);
    const ended = events.filter(({ kind }) => kind === "script-ended");
    expect(ended).toHaveLength(1);
  });

  it("is given nonsense by a server, says so, and goes on when it makes sense again", async () => {
    const { server, events, called } = await agentOnGo({});
    await eventually(
      () => events.some((event) => event.kind === "disconnected" && /no agent id/.test(event.reason)),
      "the complaint",
    );
    await server.script(agentRpc("GetManifest"), { replyB64: "////" });
    await eventually(
      () => events.some((event) => event.kind === "disconnected" && /decode/.test(event.reason)),
      "the second complaint",
    );
    await server.script(agentRpc("GetManifest"), {
      reply: {
        ...manifest,
        scripts: [
          { logSourceId: "AAAA", script: "echo never", runOnStart: true },
          { id: scriptId, logSourceId: sourceId, script: "echo hello", runOnStart: true, cron: "nonsense" },
        ],
        apps: [{ slug: "x", id: "AAAA", healthcheck: { url: "http://127.0.0.1:1", interval: "0s" } }],
        metadata: [{ key: "zero", script: "echo 0", interval: "-5s" }],
      },
    });
    await server.script(agentRpc("GetResourcesMonitoringConfiguration"), { reply: {} });
    await server.script(agentRpc("UpdateStats"), { reply: { reportInterval: "-3s" } });
    await called("BatchCreateLogs");
    await called("BatchUpdateMetadata");
    await called("UpdateLifecycle", 2);
    const connections = server.sessions.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.sessions).toHaveLength(connections);
    const texts = warnings(events).map((event) => (event.kind === "warning" ? event.text : ""));
    expect(texts.join("\n")).toContain('"nonsense" is no schedule');
  });
});
