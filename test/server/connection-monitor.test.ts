import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { ControlPlane, ServerEvent } from "../../src/server/index.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";

function watching(plane: ControlPlane) {
  const events: ServerEvent[] = [];
  onTestFinished(plane.events.onPublish((event) => void events.push(event)));
  const id = plane.agents[0]?.id ?? "";
  return {
    times: async () => (await plane.store.agent(id))?.connection,
    updates: () =>
      events.filter((event) => event.topic === "workspace" && event.kind === "agt_connection_update").length,
  };
}

const quick = { monitor: { updateIntervalMs: 20, disconnectTimeoutMs: 200 } };
const untouched = {
  firstConnectedAtUs: undefined,
  lastConnectedAtUs: undefined,
  disconnectedAtUs: undefined,
};

describe("the connection of an agent", () => {
  it("S2.4 is written and told once when it begins, and once when it ends", async () => {
    const plane = await controlPlane();
    const { times, updates } = watching(plane);
    expect(await times()).toEqual(untouched);
    const connection = await dialled(plane);
    await eventually(() => updates() === 1, "the first event");
    const begin = await times();
    expect(begin?.firstConnectedAtUs).toBeDefined();
    expect(begin?.disconnectedAtUs).toBeUndefined();
    await connection.close();
    await eventually(() => updates() === 2, "the last event");
    const end = await times();
    expect(end?.disconnectedAtUs).toBeGreaterThan(begin?.lastConnectedAtUs ?? Number.POSITIVE_INFINITY);
  });

  it("S2.8 is written at each interval, and not told", async () => {
    const plane = await controlPlane({}, quick);
    const { times, updates } = watching(plane);
    await dialled(plane);
    await eventually(() => updates() === 1, "the first event");
    const begin = (await times())?.lastConnectedAtUs ?? 0;
    await eventually(
      async () => ((await times())?.lastConnectedAtUs ?? 0) > begin + 60_000,
      "three intervals",
    );
    expect(updates()).toBe(1);
  });

  it("keeps the time of the first one over all that follow", async () => {
    const plane = await controlPlane();
    const { times, updates } = watching(plane);
    await (await dialled(plane)).close();
    await eventually(() => updates() === 2, "the end of the first");
    const first = await times();
    await dialled(plane);
    await eventually(() => updates() === 3, "the second");
    const second = await times();
    expect(second?.firstConnectedAtUs).toBe(first?.firstConnectedAtUs);
    expect(second?.lastConnectedAtUs).toBeGreaterThan(first?.lastConnectedAtUs ?? Number.POSITIVE_INFINITY);
    expect(second?.disconnectedAtUs).toBe(first?.disconnectedAtUs);
  });

  it("S2.7 ends when the agent answers no pings", async () => {
    const plane = await controlPlane({}, quick);
    const { times, updates } = watching(plane);
    const url = `${plane.url.replace("http", "ws")}/api/v2/workspaceagents/me/rpc?version=2.10`;
    const mute = new WebSocket(url, { headers: { "Coder-Session-Token": token } });
    onTestFinished(() => mute.terminate());
    const closed = new Promise<number>((resolve) => mute.on("close", resolve));
    expect(await closed).toBe(1001);
    await eventually(() => updates() === 2, "the last event");
    expect((await times())?.disconnectedAtUs).toBeDefined();
  });

  it("stays when its agent answers, however long", async () => {
    const plane = await controlPlane({}, quick);
    const connection = await dialled(plane);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(plane.api.sessionCount).toBe(1);
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
  });

  it("is written for the last time before the control plane has closed", async () => {
    const plane = await controlPlane();
    const { times } = watching(plane);
    await dialled(plane);
    await plane.close();
    expect((await times())?.disconnectedAtUs).toBeDefined();
  });
});

describe("S1.21 the connection of something else", () => {
  it.each(["logstream-kube", "agentwire-logs", "Agent", " agent"])(
    "in the role %j touches nothing",
    async (role) => {
      const plane = await controlPlane({}, quick);
      const { times, updates } = watching(plane);
      const connection = await dialled(plane, { role });
      await connection.agent.getManifest({});
      await new Promise((resolve) => setTimeout(resolve, 60));
      await connection.close();
      await eventually(() => plane.api.sessionCount === 0, "the end of the session");
      expect(await times()).toEqual(untouched);
      expect(updates()).toBe(0);
    },
  );

  it("beside an agent's does not end it when it ends", async () => {
    const plane = await controlPlane();
    const { times, updates } = watching(plane);
    const agent = await dialled(plane);
    const tool = await dialled(plane, { role: "my-tool" });
    await tool.close();
    await eventually(() => plane.api.sessionCount === 1, "the end of the tool's session");
    expect((await times())?.disconnectedAtUs).toBeUndefined();
    expect(updates()).toBe(1);
    expect((await agent.agent.getManifest({})).agentName).toBe("main");
  });
});
