import { expect, it } from "vitest";
import { parseUuid } from "../../../src/codec/index.js";
import { LocalEvents } from "../../../src/server/index.js";
import { MemoryStore } from "../../../src/store/index.js";
import { eventually } from "../../support/control-plane.js";
import { userConnection } from "./user-calls.js";
import { ClientState } from "./workspace-updates/client-state.js";

/** Events of this process that tell how many listen. */
class CountedEvents extends LocalEvents {
  listening = 0;

  override async subscribe(...subscription: Parameters<LocalEvents["subscribe"]>): Promise<() => void> {
    const end = await super.subscribe(...subscription);
    this.listening++;
    return () => {
      this.listening--;
      end();
    };
  }
}

async function adasLab() {
  const store = new MemoryStore();
  await store.define([{ owner: "ada", name: "lab", agents: [{ name: "main" }] }]);
  const [workspace] = await store.workspaces();
  const { ownerId = "", id: workspaceId = "" } = workspace ?? {};
  return { store, events: new CountedEvents(), ownerId, workspaceId };
}

it("S4.33 a user's connection follows workspaces until the call ends, which leaves nobody listening", async () => {
  const { store, events, ownerId, workspaceId } = await adasLab();
  const { connection } = await userConnection({ store, events });
  const end = new AbortController();
  const workspaceOwnerId = parseUuid(ownerId) ?? new Uint8Array();
  const updates = connection.tailnet.workspaceUpdates({ workspaceOwnerId }, { signal: end.signal });
  const client = new ClientState();
  const reader = updates[Symbol.asyncIterator]();
  client.apply((await reader.next()).value);
  expect([...client.workspaces.values()]).toEqual([{ name: "lab", status: "RUNNING" }]);
  expect([...client.agents.values()]).toEqual([{ name: "main", workspaceId }]);
  await store.newBuild(workspaceId, { transition: "stop" });
  events.publish({ topic: "workspace", kind: "state_change", ownerId, workspaceId });
  client.apply((await reader.next()).value);
  expect([...client.workspaces.values()]).toEqual([{ name: "lab", status: "STOPPED" }]);
  expect(events.listening).toBe(1);
  end.abort();
  await expect(reader.next()).rejects.toThrow();
  await eventually(() => events.listening === 0, "the end of the subscription");
});

it("S4.33 the end of a connection leaves nobody listening", async () => {
  const { store, events, ownerId } = await adasLab();
  const { connection } = await userConnection({ store, events });
  const calls = Array.from({ length: 20 }, async () => {
    const workspaceOwnerId = parseUuid(ownerId) ?? new Uint8Array();
    const reader = connection.tailnet.workspaceUpdates({ workspaceOwnerId })[Symbol.asyncIterator]();
    await reader.next();
    return reader;
  });
  const readers = await Promise.all(calls);
  expect(events.listening).toBe(20);
  await Promise.all([connection.close(), ...readers.map((reader) => reader.next().catch(() => {}))]);
  await eventually(() => events.listening === 0, "the end of the subscriptions");
});

it.each([0, 15, 17])("S4.33 refuses an owner of %d bytes", async (length) => {
  const { connection } = await userConnection();
  const updates = connection.tailnet.workspaceUpdates({ workspaceOwnerId: new Uint8Array(length) });
  await expect(updates[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    rawMessage: `parse workspace owner ID: invalid UUID (got ${length} bytes)`,
  });
});

it("S4.33 an owner that nobody knows has nothing, and no error", async () => {
  const { connection } = await userConnection();
  const updates = connection.tailnet.workspaceUpdates({ workspaceOwnerId: new Uint8Array(16) });
  const { value } = await updates[Symbol.asyncIterator]().next();
  expect(value).toMatchObject({ upsertedWorkspaces: [], upsertedAgents: [] });
});
