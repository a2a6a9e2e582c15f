import { describe, expect, it } from "vitest";
import { eventually } from "../../support/control-plane.js";
import { follow, type HttpApi, httpApi } from "../../support/http-api.js";

const sourceId = "11111111-2222-4333-8444-555555555555";

/** Writes lines as the agent. */
async function write({ me }: HttpApi, ...outputs: string[]): Promise<void> {
  await me("PATCH", "logs", { log_source_id: sourceId, logs: outputs.map((output) => ({ output })) });
}

const outputsOf = (json: unknown) => (json as { output: string }[]).map(({ output }) => output);

describe("S5.44 GET /workspaceagents/{id}/logs", () => {
  it("has lines in order, after one, under both names", async () => {
    const api = await httpApi();
    const path = `workspaceagents/${api.agentId}/logs`;
    expect((await api.get(path)).text).toBe("[]\n");
    await write(api, "one", "two <b>", "three");
    const { json } = await api.get(`${path}?before=1&no_compression`);
    expect(json).toEqual([
      expect.objectContaining({ output: "one" }),
      {
        id: 2,
        created_at: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
        output: "two <b>",
        level: "info",
        source_id: sourceId,
      },
      expect.objectContaining({ output: "three" }),
    ]);
    expect(outputsOf((await api.get(`${path}?after=2`)).json)).toEqual(["three"]);
    expect((await api.get(`${path}?after=3`)).json).toEqual([]);
    expect(
      outputsOf((await api.get(`workspaceagents/${api.agentId}/startup-logs?after=0`)).json),
    ).toHaveLength(3);
  });

  it("has all lines of a long log, page by page", async () => {
    const api = await httpApi();
    const outputs = Array.from({ length: 1250 }, (_, i) => `line ${i}`);
    await write(api, ...outputs);
    const { json, text } = await api.get(`workspaceagents/${api.agentId}/logs`);
    expect(outputsOf(json)).toEqual(outputs);
    expect(text.endsWith("}]\n")).toBe(true);
    const asText = (await api.get(`workspaceagents/${api.agentId}/logs?format=text`)).text;
    expect(asText.split("\n")).toHaveLength(1251);
  });

  it.each(["-1", "x", "1.5", "99999999999999999999"])("refuses to begin after %s", async (after) => {
    const { get, agentId } = await httpApi();
    const { status, json } = await get(`workspaceagents/${agentId}/logs?after=${after}`);
    expect([status, json]).toEqual([
      400,
      { message: 'Query param "after" must be an integer greater than or equal to zero.' },
    ]);
  });

  it("is text where that is asked for, with the source where it is known (S5.45)", async () => {
    const api = await httpApi();
    const path = `workspaceagents/${api.agentId}/logs?format=text`;
    await write(api, "before the source");
    await api.me("POST", "log-source", { id: "22222222-2222-4333-8444-555555555555", display_name: "Start" });
    await api.me("PATCH", "logs", {
      log_source_id: "22222222-2222-4333-8444-555555555555",
      logs: [{ output: "after it", level: "warn" }],
    });
    const { text, headers } = await api.get(path);
    expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const [first, second, end] = text.split("\n");
    expect(first).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[info\] \[agent\.main\] before the source$/);
    expect(second).toMatch(/^\S+Z \[warn\] \[agent\.main\|Start\] after it$/);
    expect(end).toBe("");
  });

  it("refuses other formats, and to follow as text", async () => {
    const { get, agentId } = await httpApi();
    const xml = await get(`workspaceagents/${agentId}/logs?format=xml`);
    expect([xml.status, xml.json]).toMatchObject([400, { message: "Invalid format parameter." }]);
    const text = await get(`workspaceagents/${agentId}/logs?format=text&follow`);
    expect([text.status, text.json]).toEqual([
      400,
      { message: "Text format is not supported with follow mode." },
    ]);
  });

  it("is 500 when the store fails at once, and cut off when it fails later", async () => {
    const api = await httpApi();
    await write(api, ...Array.from({ length: 300 }, () => "x"));
    const { store } = api.plane;
    const logs = store.logs.bind(store);
    store.logs = (id, after, limit) =>
      after > 0 ? Promise.reject(new Error("down")) : logs(id, after, limit);
    await expect(api.get(`workspaceagents/${api.agentId}/logs`)).rejects.toThrow();
    const { status, json } = await api.get(`workspaceagents/${api.agentId}/logs?after=1`);
    expect([status, json]).toEqual([500, { message: "An internal server error occurred." }]);
  });
});

describe("S5.46 following logs", () => {
  const path = ({ agentId }: HttpApi, query = "") => `workspaceagents/${agentId}/logs?follow${query}`;

  it("begins with what is there, or nothing, and goes on as lines come", async () => {
    const api = await httpApi();
    const { messages } = await follow(api.plane, path(api));
    await eventually(() => messages.length === 1, "the first message");
    expect(messages).toEqual([[]]);
    await write(api, "one", "two");
    await eventually(() => messages.length === 2, "the lines");
    expect(outputsOf(messages[1])).toEqual(["one", "two"]);
    const later = await follow(api.plane, path(api, "&after=1"));
    await eventually(() => later.messages.length === 1, "the lines after");
    expect(outputsOf(later.messages[0])).toEqual(["two"]);
  });

  it("sends each line once, in order, however fast they come", async () => {
    const api = await httpApi();
    const { messages } = await follow(api.plane, path(api));
    const ids = () => messages.flatMap((message) => (message as { id: number }[]).map(({ id }) => id));
    await Promise.all(Array.from({ length: 40 }, (_, i) => write(api, ...Array(20).fill(`b${i}`))));
    await eventually(() => ids().length >= 800, "all lines");
    expect(ids()).toEqual(Array.from({ length: 800 }, (_, i) => i + 1));
  });

  it("hears of lines though the event was lost", async () => {
    const api = await httpApi();
    const dropped: (() => void)[] = [];
    const subscribe = api.plane.events.subscribe.bind(api.plane.events);
    api.plane.events.subscribe = (topic, subscriber) => {
      dropped.push(() => subscriber.onDropped?.());
      return subscribe(topic, { ...subscriber, onEvent: () => {} });
    };
    const { messages } = await follow(api.plane, path(api));
    await eventually(() => messages.length === 1, "the first message");
    await write(api, "one");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(messages).toHaveLength(1);
    for (const drop of dropped) drop();
    await eventually(() => messages.length === 2, "the line");
  });

  it("ends with 1000 when a newer build has taken over, after the remaining lines", async () => {
    const api = await httpApi();
    const { messages, closed } = await follow(api.plane, path(api));
    await eventually(() => messages.length === 1, "the first message");
    const { store, events } = api.plane;
    const ownerId = (await store.workspace(api.workspaceId))?.ownerId ?? "";
    // a stop that is under way: the agent is still there, and still writes
    await store.newBuild(api.workspaceId, { transition: "stop", job: { status: "running", error: "" } });
    await store.insertLogs(api.agentId, sourceId, 1, [{ level: "info", output: "last words" }]);
    events.publish({ topic: "workspace", kind: "state_change", ownerId, workspaceId: api.workspaceId });
    expect(await closed).toBe("1000 ");
    expect(outputsOf(messages[1])).toEqual(["last words"]);
  });

  it("ends when the agent is gone", async () => {
    const api = await httpApi();
    const { closed } = await follow(api.plane, path(api));
    const { store, events } = api.plane;
    const ownerId = (await store.workspace(api.workspaceId))?.ownerId ?? "";
    await store.deleteWorkspace(api.workspaceId);
    events.publish({ topic: "workspace", kind: "state_change", ownerId, workspaceId: api.workspaceId });
    expect(await closed).toBe("1000 ");
  });

  it("ends with 1011 when the store fails", async () => {
    const api = await httpApi();
    api.plane.store.logs = () => Promise.reject(new Error("down"));
    const { closed } = await follow(api.plane, path(api));
    expect(await closed).toBe("1011 An internal server error occurred.");
  });

  it("ends with 1002 when the client says something", async () => {
    const api = await httpApi();
    const { socket, closed } = await follow(api.plane, path(api));
    socket.send("hello");
    expect(await closed).toBe("1002 Clients cannot send messages for one-way WebSockets");
    await eventually(() => api.plane.api.streamCount === 0, "the end");
  });
});
