import { expect, it } from "vitest";
import { runAgent } from "../../examples/minimal-agent.js";
import { testPlane } from "../support/test-plane.js";

it("examples/minimal-agent.ts connects, starts once though its connection is lost, and ends in order", async () => {
  const plane = await testPlane();
  const stop = new AbortController();
  const running = runAgent(plane.agent.target, stop.signal);
  await plane.agent.expectLifecycle(["starting", "ready"]);
  await plane.agent.expectLogs("main of ada/dev is there");
  await plane.agent.expectStatus("connected");
  plane.cut();
  await plane.waitFor("the next connection", () => plane.calls("UpdateStartup").length === 2);
  stop.abort();
  await running;
  // what was sent when the connection was cut, and not heard to be answered, comes twice
  expect([...new Set(plane.agent.lifecycles())]).toEqual(["starting", "ready", "shutting_down", "off"]);
  expect(new Set(await plane.agent.logs()).size).toBe(1);
  await plane.agent.expectStatus("disconnected");
});

it("examples/minimal-agent.ts ends with the refusal of its token", async () => {
  const plane = await testPlane();
  const target = { url: plane.url, token: crypto.randomUUID() };
  await expect(runAgent(target, new AbortController().signal)).rejects.toMatchObject({ status: 401 });
});
