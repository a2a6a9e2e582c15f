import { getEventListeners } from "node:events";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { HandlerFailure } from "../../../../src/server/handlers/failure.js";
import { silentLogger } from "../../../../src/server/hooks.js";
import type { ApiUser } from "../../../../src/server/http/users/api-user.js";
import { type EventSubscriber, type EventTopic, LocalEvents } from "../../../../src/server/index.js";
import { followWorkspaces } from "../../../../src/server/tailnet/workspace-updates/follow.js";
import { blankAgent, MemoryStore } from "../../../../src/store/index.js";
import { ClientState } from "./client-state.js";

afterEach(() => void vi.useRealTimers());

/** Events of this process, of which the subscriptions are counted and can lose something. */
class CountedEvents extends LocalEvents {
  readonly subscribers = new Set<EventSubscriber>();

  override async subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    const end = await super.subscribe(topic, subscriber);
    this.subscribers.add(subscriber);
    return () => {
      this.subscribers.delete(subscriber);
      end();
    };
  }
}

/** Everything that is under way in this process is done. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** One of ada's workspaces, and whoever follows all of them. */
async function followed(user: ApiUser = { id: "ada", mayRead: "everything" }) {
  const store = new MemoryStore();
  await store.define([{ owner: "ada", name: "lab", agents: [{ name: "main" }] }]);
  const [workspace] = await store.workspaces();
  if (workspace === undefined) throw new Error("the workspace is not there");
  const { ownerId, id: workspaceId } = workspace;
  const events = new CountedEvents();
  const end = new AbortController();
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (...line: unknown[]) => void warnings.push(line) };
  const reads = vi.spyOn(store, "ownedWorkspaces");
  const stream = followWorkspaces({ store, events, log }, user, ownerId, end.signal);
  const hint = (kind = "state_change" as const) =>
    events.publish({ topic: "workspace", kind, ownerId, workspaceId });
  onTestFinished(() => end.abort());
  return { store, events, stream, end, hint, reads, warnings, ownerId, workspaceId };
}

/** Follows in the background. */
function following(stream: AsyncIterable<Parameters<ClientState["apply"]>[0]>) {
  const client = new ClientState();
  const seen = { client, messages: 0, isOver: false };
  void (async () => {
    for await (const update of stream) {
      client.apply(update);
      seen.messages++;
    }
    seen.isOver = true;
  })();
  return seen;
}

describe("S4.33 following the workspaces of an owner", () => {
  it("begins with everything, and goes on with what changes", async () => {
    const { store, stream, hint, workspaceId } = await followed();
    const seen = following(stream);
    await settled();
    expect(seen.client.toJSON()).toMatchObject({
      workspaces: [[workspaceId, { name: "lab", status: "RUNNING" }]],
      agents: [[expect.any(String), { name: "main", workspaceId }]],
    });
    await store.newBuild(workspaceId, { transition: "stop", job: { status: "running", error: "" } });
    hint();
    await settled();
    expect(seen.client.toJSON()).toEqual({
      workspaces: [[workspaceId, { name: "lab", status: "STOPPING" }]],
      agents: [],
    });
    await store.deleteWorkspace(workspaceId);
    hint();
    await settled();
    expect(seen.client.toJSON()).toEqual({ workspaces: [], agents: [] });
    expect(seen.messages).toBe(3);
  });

  it("begins with an empty message where there is nothing", async () => {
    const { store, stream, workspaceId } = await followed();
    await store.deleteWorkspace(workspaceId);
    expect(await stream.next()).toEqual({
      done: false,
      value: { upsertedWorkspaces: [], upsertedAgents: [], deletedWorkspaces: [], deletedAgents: [] },
    });
  });

  it("misses nothing that changes between the subscription and the first message", async () => {
    const { store, stream, hint, reads, workspaceId } = await followed();
    const [main] = await store.agents(workspaceId);
    reads.mockImplementationOnce(async (id) => {
      const before = await MemoryStore.prototype.ownedWorkspaces.call(store, id);
      await store.deleteAgent(main?.id ?? "");
      hint();
      return before;
    });
    const seen = following(stream);
    await settled();
    expect(seen.messages).toBe(2);
    expect(seen.client.agents.size).toBe(0);
  });

  it.each(["state_change", "agt_connection_update", "agt_timeout", "agt_lifecycle_update"] as const)(
    "reads again on %s of the owner",
    async (kind) => {
      const { events, stream, reads, ownerId, workspaceId } = await followed();
      following(stream);
      await settled();
      const agentId = crypto.randomUUID();
      events.publish({ topic: "workspace", kind, ownerId, workspaceId, agentId });
      await settled();
      expect(reads).toHaveBeenCalledTimes(2);
    },
  );

  it("does not read on other hints, nor on those of other owners, and tells nothing that is known", async () => {
    const { events, stream, hint, reads, ownerId, workspaceId } = await followed();
    const seen = following(stream);
    await settled();
    for (const kind of ["stats_update", "mtd_update", "app_health", "agt_first_logs"] as const) {
      events.publish({ topic: "workspace", kind, ownerId, workspaceId, agentId: crypto.randomUUID() });
    }
    events.publish({ topic: "workspace", kind: "state_change", ownerId: crypto.randomUUID(), workspaceId });
    await settled();
    expect(reads).toHaveBeenCalledTimes(1);
    hint();
    await settled();
    expect(reads).toHaveBeenCalledTimes(2);
    expect(seen.messages).toBe(1);
  });

  it("reads again when events were lost", async () => {
    const { store, events, stream, workspaceId } = await followed();
    const seen = following(stream);
    await settled();
    await store.deleteWorkspace(workspaceId);
    for (const subscriber of events.subscribers) subscriber.onDropped?.();
    await settled();
    expect(seen.client.workspaces.size).toBe(0);
  });

  it("reads once more for any number of hints that come during a read", async () => {
    const { stream, hint, reads } = await followed();
    following(stream);
    await settled();
    let release = () => {};
    reads.mockImplementationOnce(
      () =>
        new Promise((resolve) => {
          release = () => resolve([]);
        }),
    );
    hint();
    await settled();
    expect(reads).toHaveBeenCalledTimes(2);
    for (let i = 0; i < 1000; i++) hint();
    await settled();
    expect(reads).toHaveBeenCalledTimes(2);
    release();
    await settled();
    expect(reads).toHaveBeenCalledTimes(3);
  });

  it("shows only what the user may read, asked anew each time, agents too", async () => {
    let allowed = new Set(["lab", "main"]);
    const user: ApiUser = {
      id: "bob",
      mayRead: async (workspace, agent) => allowed.has(workspace.name) && (!agent || allowed.has(agent.name)),
    };
    const { store, stream, hint, workspaceId } = await followed(user);
    const [main] = await store.agents(workspaceId);
    if (main === undefined) throw new Error("the agent is not there");
    const { buildId } = main;
    await store.insertSubAgent({ ...blankAgent(), name: "secret", parentId: main.id, workspaceId, buildId });
    const seen = following(stream);
    const names = () => [
      ...[...seen.client.workspaces.values()].map(({ name }) => name),
      ...[...seen.client.agents.values()].map(({ name }) => name),
    ];
    await settled();
    expect(names()).toEqual(["lab", "main"]);
    for (const may of [["main"], ["lab", "secret"], [], ["lab", "main", "secret"]]) {
      allowed = new Set(may);
      hint();
      await settled();
      expect(names().sort()).toEqual(may.includes("lab") ? [...may].sort() : []);
    }
  });
});

describe("S4.33 what fails", () => {
  it("at first is an error with its place, and nobody listens any more", async () => {
    const { stream, events, reads } = await followed();
    reads.mockRejectedValueOnce(new Error("the database is away"));
    const error = await stream.next().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HandlerFailure);
    expect(error).toMatchObject({
      rawMessage:
        "subscribe to workspace updates: get workspaces and agents by owner ID: the database is away",
      code: Code.Internal,
    });
    expect(events.subscribers.size).toBe(0);
  });

  it("at the subscription is an error with its place", async () => {
    const { stream, events, reads } = await followed();
    await events.close();
    await expect(stream.next()).rejects.toMatchObject({
      rawMessage: expect.stringMatching(
        /^subscribe to workspace updates: subscribe to workspace event channel: ./,
      ),
    });
    expect(reads).not.toHaveBeenCalled();
  });

  it("later is logged and tried again, after twice as long each time up to 30 s, and the stream stays", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { store, stream, hint, reads, warnings, workspaceId } = await followed();
    const seen = following(stream);
    await settled();
    await store.deleteWorkspace(workspaceId);
    let isAway = true;
    const real = MemoryStore.prototype.ownedWorkspaces;
    reads.mockImplementation(async (id) => {
      if (isAway) throw new Error("the database is away");
      return await real.call(store, id);
    });
    hint();
    for (const waitMs of [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      await settled();
      const { length } = reads.mock.calls;
      // hints do not make it hurry
      hint();
      vi.advanceTimersByTime(waitMs - 1);
      await settled();
      expect(reads.mock.calls).toHaveLength(length);
      vi.advanceTimersByTime(1);
      await settled();
      expect(reads.mock.calls).toHaveLength(length + 1);
    }
    expect(warnings[0]).toEqual([
      "workspaces could not be read for updates; they are read again",
      { error: "the database is away", retryMs: 250 },
    ]);
    isAway = false;
    vi.advanceTimersByTime(30_000);
    await settled();
    expect(seen).toMatchObject({ messages: 2, isOver: false });
    expect(seen.client.workspaces.size).toBe(0);
  });
});

describe("S4.33 the end of following", () => {
  it.each(["while it waits", "while it reads", "while it waits to read again"])(
    "by its signal %s leaves no subscription, timer or listener",
    async (when) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const { stream, events, end, hint, reads } = await followed();
      const seen = following(stream);
      await settled();
      let release = () => {};
      if (when === "while it reads") {
        reads.mockImplementationOnce(
          () =>
            new Promise((resolve) => {
              release = () => resolve([]);
            }),
        );
      }
      if (when === "while it waits to read again") reads.mockRejectedValueOnce(new Error("away"));
      if (when !== "while it waits") hint();
      await settled();
      expect(events.subscribers.size).toBe(1);
      end.abort();
      release();
      await settled();
      expect(seen.isOver).toBe(true);
      expect(events.subscribers.size).toBe(0);
      expect(getEventListeners(end.signal, "abort")).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("by its reader leaves no subscription, timer or listener", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { stream, events, end } = await followed();
    await stream.next();
    await stream.return();
    expect(events.subscribers.size).toBe(0);
    expect(getEventListeners(end.signal, "abort")).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("keeps nothing of the hints that it has heard", async () => {
    const { stream, end, hint } = await followed();
    const add = vi.spyOn(end.signal, "addEventListener");
    const remove = vi.spyOn(end.signal, "removeEventListener");
    following(stream);
    for (let i = 0; i < 100; i++) {
      hint();
      await settled();
    }
    expect(add.mock.calls.length - remove.mock.calls.length).toBe(1);
  });
});
