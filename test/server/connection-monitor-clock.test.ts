import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { agentSession } from "../../src/server/agent-session.js";
import { BuildWatch } from "../../src/server/batches/build-watch.js";
import { createBatches } from "../../src/server/batches/index.js";
import {
  type MonitorOptions,
  monitorConnection,
  resolveMonitorOptions,
} from "../../src/server/connection-monitor.js";
import { noMetrics, silentLogger } from "../../src/server/hooks.js";
import { LocalEvents } from "../../src/server/index.js";
import { type ConnectionUpdate, MemoryStore } from "../../src/store/index.js";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const second = 1_000_000;
const startUs = 1_000_000_000_000 * 1000;

/** A monitored session on a clock of the test's, with everything that is written of it. */
async function monitored(options: MonitorOptions = {}) {
  const store = new MemoryStore();
  const [defined] = await store.define([{ owner: "ada", name: "dev", agents: [{ name: "main" }] }]);
  const agentId = defined?.id ?? "";
  const writes: (ConnectionUpdate & { atUs: number })[] = [];
  const nowUs = () => Date.now() * 1000;
  let storeError: Error | undefined;
  const watched = Object.assign(Object.create(store) as MemoryStore, {
    async updateConnections(updates: readonly ConnectionUpdate[]) {
      if (storeError !== undefined) throw storeError;
      for (const update of updates) writes.push({ ...update, atUs: nowUs() });
      await store.updateConnections(updates);
    },
  });
  const events = new LocalEvents();
  const told: number[] = [];
  events.onPublish((event) => {
    if (event.topic === "workspace" && event.kind === "agt_connection_update") told.push(nowUs());
  });
  const log = { ...silentLogger, warn: vi.fn(), debug: vi.fn(), error: vi.fn() };
  const metrics = { ...noMetrics, observe: vi.fn() };
  const shared = { store: watched, events, log, metrics, nowUs };
  const batches = createBatches(shared);
  const deps = { ...shared, batches, builds: new BuildWatch(store), replicaId: "replica-1" };
  const begin = async (ping: () => Promise<number> = () => Promise.resolve(1)) => {
    const agent = await store.agent(agentId);
    const workspace = await store.workspace(agent?.workspaceId ?? "");
    if (agent === undefined || workspace === undefined) throw new Error("there is no agent");
    const session = { ping: vi.fn(ping), abort: vi.fn() };
    const end = monitorConnection(
      deps,
      session,
      agent,
      agentSession({ agent, workspace }, "2.10", "agent"),
      options,
    );
    await vi.advanceTimersByTimeAsync(0);
    return { session, end };
  };
  return {
    store,
    agentId,
    writes,
    told,
    log,
    metrics,
    begin,
    fail: (error: Error | undefined) => {
      storeError = error;
    },
    times: async () => (await store.agent(agentId))?.connection,
    secondsOfWrites: () => writes.map(({ atUs }) => (atUs - startUs) / second),
  };
}

describe("S2.20 the connection monitor on its clock", () => {
  it("writes at 0, 15, 30, … seconds and at the end; tells at the beginning and at the end", async () => {
    const { begin, secondsOfWrites, told, times } = await monitored();
    const { session, end } = await begin();
    await vi.advanceTimersByTimeAsync(50_000);
    await end();
    // a tick may wait half a second for company
    expect(secondsOfWrites()).toEqual([0, 15.5, 30.5, 45.5, 50]);
    expect(told.map((us) => (us - startUs) / second)).toEqual([0, 50]);
    expect(session.ping).toHaveBeenCalledTimes(3);
    expect(session.abort).not.toHaveBeenCalled();
    expect(await times()).toEqual({
      firstConnectedAtUs: startUs,
      lastConnectedAtUs: startUs + 45 * second,
      disconnectedAtUs: startUs + 50 * second,
      lastReplicaId: "replica-1",
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(secondsOfWrites()).toHaveLength(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S2.7 pings until one fails, and ends the session once none has been answered for 30 s", async () => {
    let pings = 0;
    const { begin, log } = await monitored();
    const { session, end } = await begin(() =>
      ++pings <= 2 ? Promise.resolve(1) : Promise.reject(new Error("gone")),
    );
    await vi.advanceTimersByTimeAsync(60_500);
    // answered at 15 and 30 s; at 45 the ping fails and is the last; at 60 it is exactly 30 s
    expect(pings).toBe(3);
    expect(session.abort).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(session.abort).toHaveBeenCalledOnce();
    expect(session.abort.mock.calls[0]?.[0].message).toBe("connection monitor: ping timeout");
    expect(log.warn).toHaveBeenCalledWith("connection to agent timed out", expect.anything());
    await end();
  });

  it("S2.3 derives the time-out from the interval, and never less than two seconds", () => {
    expect(resolveMonitorOptions()).toEqual({ updateIntervalMs: 15_000, disconnectTimeoutMs: 30_000 });
    expect(resolveMonitorOptions({ updateIntervalMs: 150 }).disconnectTimeoutMs).toBe(2_000);
    expect(resolveMonitorOptions({ updateIntervalMs: 150, disconnectTimeoutMs: 9 }).disconnectTimeoutMs).toBe(
      9,
    );
  });

  it("S2.6 ends the session when the first write fails, tells only of the end, and still tries the last", async () => {
    const { begin, fail, told, log } = await monitored();
    fail(new Error("the disk is full"));
    const { session, end } = await begin();
    expect(session.abort.mock.calls[0]?.[0].message).toContain("the disk is full");
    expect(told).toEqual([]);
    await end();
    expect(told).toHaveLength(1);
    expect(log.error).toHaveBeenCalledOnce();
  });

  it("S2.8 ends the session when a later write fails", async () => {
    const { begin, fail } = await monitored();
    const { session, end } = await begin();
    fail(new Error("the disk is full"));
    await vi.advanceTimersByTimeAsync(15_500);
    expect(session.abort.mock.calls[0]?.[0].message).toContain("the disk is full");
    fail(undefined);
    await end();
  });

  it("S2.8, S2.13 ends the session at the first tick after a newer build, whatever it is", async () => {
    vi.useRealTimers();
    vi.useFakeTimers({
      now: 1_000_000_000_000,
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
    });
    const { begin, store, agentId } = await monitored();
    const { session, end } = await begin();
    const workspaceId = (await store.agent(agentId))?.workspaceId ?? "";
    await vi.advanceTimersByTimeAsync(16_000);
    expect(session.abort).not.toHaveBeenCalled();
    await store.newBuild(workspaceId, { transition: "stop", job: { status: "pending", error: "" } });
    await vi.advanceTimersByTimeAsync(15_000);
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(0);
    expect(session.abort.mock.calls[0]?.[0].message).toBe("connection monitor: build is outdated");
    await end();
  });

  it("S2.12 never writes the first time again, and does not clear the end of the session before", async () => {
    const { begin, times, metrics } = await monitored();
    const first = await begin();
    await vi.advanceTimersByTimeAsync(1_000);
    await first.end();
    await vi.advanceTimersByTimeAsync(9_000);
    const second1 = await begin();
    expect(await times()).toMatchObject({
      firstConnectedAtUs: startUs,
      lastConnectedAtUs: startUs + 10 * second,
      disconnectedAtUs: startUs + 1 * second,
    });
    await second1.end();
    // S2.5: observed once, for the first of all
    expect(metrics.observe).toHaveBeenCalledOnce();
    expect(metrics.observe.mock.calls[0]?.slice(0, 2)).toEqual(["coderd_agents_first_connection_seconds", 0]);
  });

  it("S2.15 two sessions of one agent each write what they know", async () => {
    const { begin, times } = await monitored();
    const older = await begin();
    await vi.advanceTimersByTimeAsync(5_000);
    const newer = await begin();
    await vi.advanceTimersByTimeAsync(1_000);
    await older.end();
    // for a moment it looks disconnected
    expect(await times()).toMatchObject({
      lastConnectedAtUs: startUs,
      disconnectedAtUs: startUs + 6 * second,
    });
    await vi.advanceTimersByTimeAsync(15_000);
    expect((await times())?.lastConnectedAtUs).toBe(startUs + 20 * second);
    await newer.end();
  });

  it("S2.10 gives up the last write when the store hangs", async () => {
    const { begin, store, told } = await monitored();
    const { end } = await begin();
    store.updateConnections = () => new Promise(() => {});
    const ending = end();
    await vi.advanceTimersByTimeAsync(30_000);
    await ending;
    expect(told).toHaveLength(2);
  });
});
