import { describe, expect, it } from "vitest";
import { type AgentStatus, agentHealth, agentStatus } from "../../src/server/index.js";
import type { ConnectionTimes, LifecycleState } from "../../src/store/index.js";

const second = 1_000_000;
const nowUs = 1_000 * second;
const disconnectTimeoutMs = 30_000;

function statusOf(times: Partial<ConnectionTimes>, { createdSecondsAgo = 100, timeoutSeconds = 0 } = {}) {
  const connection: ConnectionTimes = {
    firstConnectedAtUs: undefined,
    lastConnectedAtUs: undefined,
    disconnectedAtUs: undefined,
    lastReplicaId: undefined,
    ...times,
  };
  const createdAtUs = nowUs - createdSecondsAgo * second;
  return agentStatus(
    { connection, createdAtUs, connectionTimeoutSeconds: timeoutSeconds },
    nowUs,
    disconnectTimeoutMs,
  );
}

const seen = (lastSecondsAgo: number, disconnectedSecondsAgo?: number): Partial<ConnectionTimes> => ({
  firstConnectedAtUs: nowUs - 90 * second,
  lastConnectedAtUs: nowUs - lastSecondsAgo * second,
  disconnectedAtUs:
    disconnectedSecondsAgo === undefined ? undefined : nowUs - disconnectedSecondsAgo * second,
});

describe("S2.17 the status of an agent", () => {
  it.each([
    ["has never connected, and need not", {}, {}, "connecting"],
    ["has never connected, and its time is exactly over", {}, { timeoutSeconds: 100 }, "connecting"],
    ["has never connected, and its time is over", {}, { timeoutSeconds: 99 }, "timeout"],
    ["is there", seen(5), {}, "connected"],
    ["was there just as long ago as is allowed", seen(30), {}, "connected"],
    ["has left", seen(5, 4), {}, "disconnected"],
    ["was seen and left at the same time (S2.21)", seen(5, 5), {}, "disconnected"],
    ["has left, and has come back", seen(5, 6), {}, "connected"],
    ["has not been seen for too long", seen(31), {}, "disconnected"],
    ["is late no more once it has connected", seen(5), { timeoutSeconds: 1 }, "connected"],
  ])("%s", (_name, times, facts, status) => {
    expect(statusOf(times, facts).status).toBe(status);
  });

  it("has a time of its end: its own, or that when it was seen last", () => {
    expect(statusOf(seen(5, 4)).disconnectedAtUs).toBe(nowUs - 4 * second);
    expect(statusOf(seen(31)).disconnectedAtUs).toBe(nowUs - 31 * second);
    // from before it came back
    expect(statusOf(seen(5, 6)).disconnectedAtUs).toBe(nowUs - 6 * second);
    expect(statusOf({}).disconnectedAtUs).toBeUndefined();
  });
});

describe("S2.18 the health of an agent", () => {
  const cases: [AgentStatus, LifecycleState, string | undefined][] = [
    ["disconnected", "off", "agent is not running"],
    ["connecting", "off", "agent is not running"],
    ["connecting", "created", "agent has not yet connected"],
    ["timeout", "created", "agent is taking too long to connect"],
    ["disconnected", "ready", "agent has lost connection"],
    ["disconnected", "start_error", "agent has lost connection"],
    ["connected", "start_error", "agent startup script exited with an error"],
    ["connected", "shutting_down", "agent is shutting down"],
    ["connected", "shutdown_timeout", "agent is shutting down"],
    ["connected", "shutdown_error", "agent is shutting down"],
    ["connected", "ready", undefined],
    ["connected", "starting", undefined],
    ["connected", "start_timeout", undefined],
    ["connected", "off", undefined],
  ];

  it.each(cases)("%s and %s: %s", (status, lifecycle, reason) => {
    expect(agentHealth(status, lifecycle)).toEqual(
      reason === undefined ? { healthy: true } : { healthy: false, reason },
    );
  });
});
