import { describe, expect, it } from "vitest";
import type { ServerEvent } from "../../../src/server/index.js";
import { dialled } from "../../support/control-plane.js";
import { type HttpApi, httpApi } from "../../support/http-api.js";

const external = "3b579bf4-1ed8-4b99-87a8-e9a1e3410410";
const sourceId = "11111111-2222-4333-8444-555555555555";
const full = 1_048_576;

function told(events: readonly ServerEvent[]): string[] {
  return events.map((event) => (event.topic === "workspace" ? event.kind : event.topic));
}

/** A batch of so many bytes. */
const batch = (bytes: number) => ({ log_source_id: sourceId, logs: [{ output: "x".repeat(bytes) }] });

describe("S5-B PATCH /me/logs", () => {
  it("stores lines with the server's time, and tells (S5.5, S5.11)", async () => {
    const { me, plane, agentId, events } = await httpApi();
    const levels = ["trace", "debug", "info", "warn", "error", "", undefined];
    const logs = levels.map((level) => ({ output: `${level}`, level, created_at: "1999-01-01T00:00:00Z" }));
    const before = Date.now() * 1000;
    const { status, text } = await me("PATCH", "logs", { log_source_id: sourceId, logs });
    expect([status, text]).toEqual([200, "null\n"]);
    const stored = await plane.store.logs(agentId, 0, 100);
    expect(stored.map(({ level }) => level)).toEqual([
      ...["trace", "debug", "info", "warn", "error"],
      ...["info", "info"],
    ]);
    expect(new Set(stored.map((line) => line.logSourceId))).toEqual(new Set([sourceId]));
    expect(stored.every(({ createdAtUs }) => createdAtUs >= before - 1_000_000)).toBe(true);
    expect(told(events)).toEqual(["logs", "agt_first_logs"]);
    const firstId = stored[0]?.id ?? 0;
    expect(events[0]).toEqual({ topic: "logs", agentId, createdAfter: firstId - 1 });
    await me("PATCH", "logs", batch(1));
    expect(told(events)).toEqual(["logs", "agt_first_logs", "logs"]);
  });

  it("makes the external source for lines without one (S5.6)", async () => {
    const { me, plane, agentId } = await httpApi();
    await me("PATCH", "logs", { logs: [{ output: "a" }] });
    await me("PATCH", "logs", {
      log_source_id: "00000000-0000-0000-0000-000000000000",
      logs: [{ output: "b" }],
    });
    const sources = await plane.store.logSources(agentId);
    expect(sources).toMatchObject([{ id: external, displayName: "External", icon: "/emojis/1f310.png" }]);
    expect((await plane.store.logs(agentId, 0, 9)).map(({ logSourceId }) => logSourceId)).toEqual([
      external,
      external,
    ]);
  });

  it("stores no line when one has a level that nobody knows (S5.6)", async () => {
    const { me, plane, agentId, events } = await httpApi();
    const logs = [{ output: "a" }, { output: "b", level: "loud" }];
    expect((await me("PATCH", "logs", { logs })).json).toEqual({
      message: "Invalid log level provided.",
      detail: 'invalid log level: "loud"',
    });
    expect(await plane.store.logs(agentId, 0, 9)).toEqual([]);
    expect((await plane.store.logSources(agentId)).map(({ id }) => id)).toEqual([external]);
    expect(events).toEqual([]);
  });

  it.each([{}, { logs: null }, { logs: [] }])("refuses %j (S5.6)", async (body) => {
    const { me } = await httpApi();
    const { status, json } = await me("PATCH", "logs", body);
    expect(status).toBe(400);
    expect(json).toEqual({ message: "No logs provided." });
  });

  it("cleans and cuts lines as the RPC does (S5.7)", async () => {
    const { me, plane, agentId } = await httpApi();
    await me("PATCH", "logs", { logs: [{ output: "a\u0000b" }, { output: "y".repeat(2000) }] });
    const [cleaned, cut] = await plane.store.logs(agentId, 0, 9);
    expect(cleaned?.output).toBe("a❌b");
    expect(cut?.output).toBe("y".repeat(1024));
    // the length before the cut counts
    expect((await plane.store.agent(agentId))?.logsLength).toBe(2000 + "a❌b".length + 2);
  });

  it("takes a batch up to the limit, and refuses one beyond it as a whole (S5.8)", async () => {
    const { me, plane, agentId, events } = await httpApi();
    expect((await me("PATCH", "logs", batch(full))).status).toBe(200);
    const refused = await me("PATCH", "logs", batch(1));
    expect([refused.status, refused.json]).toEqual([413, { message: "Logs limit exceeded" }]);
    expect((await plane.store.agent(agentId))?.logsOverflowed).toBe(true);
    expect((await plane.store.logs(agentId, 0, 9)).length).toBe(1);
    const again = await me("PATCH", "logs", batch(1));
    expect(again.json).toEqual({ message: "Logs limit exceeded", detail: expect.stringMatching(/./) });
    expect(told(events)).toEqual(["logs", "agt_first_logs", "agt_logs_overflow"]);
  });

  it("takes what fits after an overflow, which the RPC does not (S5.9)", async () => {
    const { me, plane } = await httpApi();
    expect((await me("PATCH", "logs", batch(full + 1))).status).toBe(413);
    expect((await me("PATCH", "logs", batch(10))).status).toBe(200);
    const { agent } = await dialled(plane);
    expect((await agent.batchCreateLogs({ logs: [{ output: "x" }] })).logLimitExceeded).toBe(true);
  });

  it("answers what the store says with 500 (S5.10)", async () => {
    const { me, plane } = await httpApi();
    plane.store.insertLogs = () => Promise.reject(new Error("disk full"));
    const failed = await me("PATCH", "logs", batch(1));
    expect([failed.status, failed.json]).toEqual([
      500,
      { message: "Failed to upload logs", detail: "insert workspace agent logs: disk full" },
    ]);
    plane.store.insertLogSource = () => Promise.reject(new Error("disk full"));
    expect((await me("PATCH", "logs", { logs: [{ output: "x" }] })).json).toMatchObject({
      message: "Failed to create external log source.",
    });
  });
});

describe("S5-D POST /me/log-source", () => {
  it("echoes the request on a repetition, and keeps what was there (S5.16)", async () => {
    const { me, plane, agentId } = await httpApi();
    await me("POST", "log-source", { id: sourceId, display_name: "One", icon: "/1" });
    const again = await me("POST", "log-source", { id: sourceId, display_name: "Two", icon: "/2" });
    expect(again.status).toBe(201);
    expect(again.json).toMatchObject({ display_name: "Two", icon: "/2" });
    expect(await plane.store.logSources(agentId)).toMatchObject([{ displayName: "One", icon: "/1" }]);
  });

  it("takes names of 127 characters, whatever their bytes (S5.16)", async () => {
    const { me } = await httpApi();
    expect((await me("POST", "log-source", { display_name: "🙂".repeat(127) })).status).toBe(201);
    const { status, json } = await me("POST", "log-source", { display_name: "🙂".repeat(128) });
    expect(status).toBe(500);
    expect(json).toMatchObject({ message: "An internal server error occurred." });
  });
});

describe("S5-C PATCH /me/app-status", () => {
  const report = (api: HttpApi, change: Record<string, unknown> = {}) =>
    api.me("PATCH", "app-status", { app_slug: "ai", state: "working", message: "on it", uri: "", ...change });

  it.each(["working", "idle", "complete", "failure"])("stores %s, and tells (S5.12)", async (state) => {
    const api = await httpApi({ apps: [{ slug: "ai" }] });
    const { plane, agentId, events, workspaceId } = api;
    const { status, text } = await report(api, { state, icon: "x", needs_user_attention: true, uri: "u:1" });
    expect([status, text]).toEqual([200, "null\n"]);
    expect(await plane.store.appStatuses({ agentId }, 9)).toMatchObject([
      { state, message: "on it", uri: "u:1", agentId, workspaceId },
    ]);
    expect(told(events)).toEqual(["agt_app_status_update"]);
  });

  it("looks at the state, then the length, then the app (S5.13)", async () => {
    const api = await httpApi();
    const message = "x".repeat(161);
    expect((await report(api, { state: "no", message })).json).toEqual({
      message: "Failed to parse request.",
      detail: "Invalid state: no",
    });
    expect((await report(api, { message })).json).toMatchObject({ message: "Message is too long." });
    expect((await report(api)).json).toEqual({
      message: "Failed to get workspace app.",
      detail: 'No app found with slug "ai"',
    });
    expect(api.events).toEqual([]);
  });

  it("works in a workspace that waits for its owner (S5.13)", async () => {
    const agents = [{ name: "main", token: "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d", apps: [{ slug: "ai" }] }];
    const api = await httpApi({}, { workspaces: [{ owner: "", name: "p", isPrebuilt: true, agents }] });
    expect((await report(api)).status).toBe(200);
  });

  it("says which part of the store has failed (S5.13, S5.14)", async () => {
    const api = await httpApi({ apps: [{ slug: "ai" }] });
    const { store } = api.plane;
    store.insertAppStatus = () => Promise.reject(new Error("disk full"));
    const failed = await report(api);
    expect([failed.status, failed.json]).toEqual([
      500,
      { message: "Failed to insert workspace app status.", detail: "disk full" },
    ]);
    const workspace = store.workspace.bind(store);
    let reads = 0;
    // the first read is the authentication's
    store.workspace = (id) => (reads++ === 0 ? workspace(id) : Promise.reject(new Error("no route")));
    const lost = await report(api);
    expect([lost.status, lost.json]).toEqual([
      400,
      { message: "Failed to get workspace.", detail: "no route" },
    ]);
  });
});
