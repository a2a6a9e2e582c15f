import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { streamLines } from "../../examples/log-streamer.js";
import { reportStatus } from "../../examples/status-reporter.js";
import type { ControlPlane, ServerEvent } from "../../src/server/index.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { testPlane } from "../support/test-plane.js";

/** Nothing of the monitor changes by itself while a test runs. */
const monitor = { updateIntervalMs: 3_600_000, disconnectTimeoutMs: 3_600_000 };

/** All that a control plane knows of the agent's connection, and how often it was told to have changed. */
function connectionOf(plane: ControlPlane) {
  const events: ServerEvent[] = [];
  onTestFinished(plane.events.onPublish((event) => void events.push(event)));
  const id = plane.agents[0]?.id ?? "";
  return async () => {
    const record = await plane.store.agent(id);
    const updates = events.filter(
      (event) => event.topic === "workspace" && event.kind === "agt_connection_update",
    );
    return {
      connection: { ...record?.connection },
      lifecycle: record?.lifecycleState,
      updates: updates.length,
    };
  };
}

/** A control plane whose agent is there or not. */
async function planeWith(agent: string) {
  const plane = await controlPlane({ apps: [{ slug: "assistant" }] }, { monitor });
  const state = connectionOf(plane);
  if (agent === "connected") {
    await dialled(plane, { role: "agent" });
    await eventually(async () => (await state()).updates === 1, "the agent is connected");
  }
  const id = plane.agents[0]?.id ?? "";
  const logs = async () => (await plane.store.logs(id, 0, 1000)).map(({ output }) => output);
  return { plane, state, id, logs, target: { url: plane.url, token } };
}

describe.each(["connected", "never connected"])("beside an agent that is %s", (agent) => {
  it("C7.9, C7.17 examples/log-streamer.ts sends lines, and the agent's connection stays as it is", async () => {
    const { plane, state, id, logs, target } = await planeWith(agent);
    const before = await state();
    const input = new PassThrough();
    const streaming = streamLines(target, () => input);
    input.write("one\ntw");
    await eventually(async () => (await logs()).length === 1, "the first line");
    expect(plane.api.sessionCount).toBe(agent === "connected" ? 2 : 1);
    expect(await state()).toEqual(before);
    input.end("o\nthree");
    const sender = await streaming;
    expect(await logs()).toEqual(["one", "two", "three"]);
    expect([sender.pending, sender.dropped]).toEqual([0, {}]);
    expect(await plane.store.logSources(id)).toMatchObject([{ displayName: "Log streamer" }]);
    await eventually(() => plane.api.sessionCount === (agent === "connected" ? 1 : 0), "its session is over");
    expect(await state()).toEqual(before);
  });

  it("C7.18 examples/status-reporter.ts reports, and the agent's connection stays as it is", async () => {
    const { plane, state, id, target } = await planeWith(agent);
    const before = await state();
    const message = "reading the tests";
    await reportStatus(target, { slug: "assistant", state: "working", message });
    expect(await plane.store.appStatuses({ agentId: id }, 10)).toMatchObject([{ state: "working", message }]);
    const unknown = { slug: "other", state: "idle", message: "" } as const;
    await expect(reportStatus(target, unknown)).rejects.toMatchObject({
      rawMessage: expect.stringContaining("other"),
    });
    await eventually(() => plane.api.sessionCount === (agent === "connected" ? 1 : 0), "its session is over");
    expect(await state()).toEqual(before);
  });
});

it("the same with the role of the agent is noticed", async () => {
  const { plane, state } = await planeWith("never connected");
  const before = await state();
  await (await dialled(plane, { role: "agent" })).close();
  await eventually(async () => (await state()).updates === 2, "both changes");
  expect(await state()).not.toEqual(before);
});

it("examples/log-streamer.ts goes on over the next connection, and loses no line", async () => {
  const plane = await testPlane();
  const input = new PassThrough();
  const streaming = streamLines(plane.agent.target, () => input);
  input.write("one\n");
  await plane.agent.expectLogs("one");
  await plane.upgrade();
  input.write("two\n");
  input.end("three");
  await streaming;
  // a line whose answer was lost comes twice
  expect([...new Set(await plane.agent.logs())]).toEqual(["one", "two", "three"]);
});

it("examples/log-streamer.ts ends with the server's refusal, though its input has not ended", async () => {
  const server = createServer(({ method }, answer) =>
    answer.writeHead(method === "POST" ? 201 : 401).end("{}"),
  );
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(streamLines({ url, token }, () => new PassThrough())).rejects.toThrow("status 401");
});

it("examples/log-streamer.ts ends with the error of its input", async () => {
  const { target } = await planeWith("never connected");
  const opening = () => createReadStream("/does/not/exist");
  await expect(streamLines(target, opening)).rejects.toThrow("ENOENT");
});
