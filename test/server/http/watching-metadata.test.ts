import { describe, expect, it } from "vitest";
import { eventually } from "../../support/control-plane.js";
import { adminToken, follow, type HttpApi, httpApi, readEvents } from "../../support/http-api.js";

const metadata = [
  { key: "b", displayName: "B", script: "b.sh", intervalSeconds: 10, timeoutSeconds: 2 },
  { key: "a", displayName: "A", script: "a.sh", intervalSeconds: 5 },
  { key: "z", displayName: "Z", script: "z.sh", intervalSeconds: 1, displayOrder: -1 },
];

interface Item {
  result: { collected_at: string; age: number; value: string; error: string };
  description: { key: string };
}

const read = ({ plane, agentId }: HttpApi) =>
  readEvents(`${plane.url}/api/v2/workspaceagents/${agentId}/watch-metadata`, adminToken);

const followed = ({ plane, agentId }: HttpApi) =>
  follow(plane, `workspaceagents/${agentId}/watch-metadata-ws`);

const itemsOf = (block: string | undefined) =>
  JSON.parse(block?.replace(/^event: data\ndata: /, "") ?? "null") as Item[];

async function collect({ plane, agentId }: HttpApi, value: string, secondsAgo = 0): Promise<void> {
  const collectedAtUs = (Date.now() - secondsAgo * 1000) * 1000;
  await plane.store.updateMetadata([{ agentId, key: "a", value, error: "", collectedAtUs }]);
  plane.events.publish({ topic: "metadata", agentIds: [agentId] });
}

describe("S5.47 GET /workspaceagents/{id}/watch-metadata", () => {
  it("sends all values at once, by display order and key", async () => {
    const api = await httpApi({ metadata });
    const { blocks, response } = await read(api);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    await eventually(() => blocks.length === 1, "the values");
    const items = itemsOf(blocks[0]);
    expect(items.map(({ description }) => description.key)).toEqual(["z", "a", "b"]);
    expect(items[2]).toEqual({
      result: { collected_at: "0001-01-01T00:00:00Z", age: 9_223_372_036, value: "", error: "" },
      description: { display_name: "B", key: "b", script: "b.sh", interval: 10, timeout: 2 },
    });
  });

  it("sends again what has changed at the next second, and of many changes the last", async () => {
    const api = await httpApi({ metadata });
    const { blocks } = await read(api);
    await eventually(() => blocks.length === 1, "the values");
    for (let i = 0; i < 50; i++) await collect(api, `v${i}`, 60);
    await eventually(() => blocks.length === 2, "the change");
    const [, a] = itemsOf(blocks[1]);
    expect(a?.result).toMatchObject({ value: "v49", error: "" });
    expect(a?.result.age).toBeGreaterThanOrEqual(60);
    expect(a?.result.age).toBeLessThan(65);
  });

  it("does not send for other agents, and repeats after five seconds", async () => {
    const api = await httpApi({ metadata });
    const { blocks } = await read(api);
    await eventually(() => blocks.length === 1, "the values");
    const begin = Date.now();
    api.plane.events.publish({ topic: "metadata", agentIds: [crypto.randomUUID()] });
    await eventually(() => blocks.length === 2, "the repetition", 8000);
    expect(Date.now() - begin).toBeGreaterThan(4000);
    expect(itemsOf(blocks[1])).toEqual(itemsOf(blocks[0]));
  });

  it("says that it failed, and ends", async () => {
    const api = await httpApi({ metadata });
    const { blocks, ended } = await read(api);
    await eventually(() => blocks.length === 1, "the values");
    api.plane.store.manifestRecords = () => Promise.reject(new Error("password is hunter2"));
    await collect(api, "x");
    await ended;
    expect(blocks[1]).toBe('event: error\ndata: {"message":"Failed to get metadata."}');
    await eventually(() => api.plane.api.streamCount === 0, "the end");
  });

  it("ends with the agent, and with the server", async () => {
    const api = await httpApi({ metadata });
    const gone = await read(api);
    await api.plane.store.deleteAgent(api.agentId);
    api.plane.events.publish({ topic: "metadata", agentIds: [api.agentId] });
    await gone.ended;
    const other = await httpApi({ metadata });
    const closing = await read(other);
    await other.plane.api.close();
    await closing.ended;
  });
});

describe("S5.47 GET /workspaceagents/{id}/watch-metadata-ws", () => {
  it("sends the same as messages", async () => {
    const api = await httpApi({ metadata });
    const { messages } = await followed(api);
    await eventually(() => messages.length === 1, "the values");
    expect(messages[0]).toMatchObject({
      type: "data",
      data: [{ description: { key: "z" } }, { description: { key: "a" } }, { description: { key: "b" } }],
    });
    await collect(api, "new");
    await eventually(() => messages.length === 2, "the change");
    expect(messages[1]).toMatchObject({ data: [{}, { result: { value: "new" } }, {}] });
  });

  it("ends with 1000 and a word when the server ends it, after an error too", async () => {
    const api = await httpApi({ metadata });
    const failing = await followed(api);
    await eventually(() => failing.messages.length === 1, "the values");
    const records = api.plane.store.manifestRecords;
    api.plane.store.manifestRecords = () => Promise.reject(new Error("down"));
    await collect(api, "x");
    expect(await failing.closed).toBe("1000 Connection closed");
    expect(failing.messages[1]).toEqual({ type: "error", data: { message: "Failed to get metadata." } });
    api.plane.store.manifestRecords = records;
    const closing = await followed(api);
    await api.plane.api.close();
    expect(await closing.closed).toBe("1000 Connection closed");
  });

  it("ends with 1002 when the client says something", async () => {
    const api = await httpApi({ metadata });
    const { socket, closed } = await followed(api);
    socket.send("hello");
    expect(await closed).toBe("1002 Clients cannot send messages for one-way WebSockets");
  });
});
