import fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { Workspace_Status } from "../../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { silentLogger } from "../../../../src/server/hooks.js";
import type { ApiUser } from "../../../../src/server/http/users/api-user.js";
import { LocalEvents } from "../../../../src/server/index.js";
import { followWorkspaces } from "../../../../src/server/tailnet/workspace-updates/follow.js";
import { workspaceStatus } from "../../../../src/server/tailnet/workspace-updates/status.js";
import { blankAgent, MemoryStore, type OwnedWorkspace, StoreConflict } from "../../../../src/store/index.js";
import { runs, timeoutMs } from "../../../support/scale.js";
import { ClientState } from "./client-state.js";

afterEach(() => void vi.useRealTimers());

/** Reads take no more turns of the loop than this. */
const slowestRead = 5;

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A store in which things get other names, reads take their time, and some fail. */
class World {
  readonly store = new MemoryStore();
  readonly events = new LocalEvents();
  readonly #names = new Map<string, string>();
  readonly hidden = new Set<string>();
  readTurns = 0;
  isAway = false;
  ownerId = "";

  readonly user: ApiUser = {
    id: "somebody",
    mayRead: async ({ name }, agent) => !this.hidden.has(agent === undefined ? name : agent.name),
  };

  async begin(): Promise<void> {
    await this.store.define([
      { owner: "ada", name: "first", agents: [{ name: "main" }] },
      { owner: "bob", name: "other", agents: [{ name: "main" }] },
    ]);
    const workspaces = await this.store.workspaces();
    this.ownerId = workspaces.find(({ ownerUsername }) => ownerUsername === "ada")?.ownerId ?? "";
  }

  async ownedWorkspaces(ownerId: string): Promise<readonly OwnedWorkspace[]> {
    const owned = await this.store.ownedWorkspaces(ownerId);
    await turns(this.readTurns);
    if (this.isAway) throw new Error("the database is away");
    return owned.map((one) => ({
      ...one,
      workspace: this.named(one.workspace),
      agents: one.agents.map((agent) => this.named(agent)),
    }));
  }

  named<T extends { id: string; name: string }>(thing: T): T {
    return { ...thing, name: this.#names.get(thing.id) ?? thing.name };
  }

  rename(id: string, name: string): void {
    this.#names.set(id, name);
  }

  hint(): void {
    const workspaceId = crypto.randomUUID();
    this.events.publish({ topic: "workspace", kind: "state_change", ownerId: this.ownerId, workspaceId });
  }

  /** What a client has to know in the end, not read in the way that is tested. */
  async expected(): Promise<ClientState> {
    const client = new ClientState();
    for (const each of await this.store.workspaces()) {
      const { id, ownerId, name } = this.named(each);
      const latest = (await this.store.builds(id))?.latest;
      if (ownerId !== this.ownerId || latest === undefined || this.hidden.has(name)) continue;
      client.workspaces.set(id, { name, status: Workspace_Status[workspaceStatus(latest)] ?? "" });
      for (const agent of (await this.store.agents(id)).map((one) => this.named(one))) {
        if (agent.buildId !== latest.id || this.hidden.has(agent.name)) continue;
        client.agents.set(agent.id, { name: agent.name, workspaceId: id });
      }
    }
    return client;
  }
}

type Step = (world: World) => unknown;

const which = fc.nat({ max: 9 });
const names = fc.constantFrom("main", "side", "first", "second", "third");

/** Something that happens to one of the workspaces that there are. */
function toWorkspace<T>(values: fc.Arbitrary<T>, run: (world: World, id: string, value: T) => unknown) {
  return fc.tuple(which, values).map(
    ([n, value]): Step =>
      async (world) => {
        const all = await world.store.workspaces();
        const one = all[n % Math.max(1, all.length)];
        if (one !== undefined) await run(world, one.id, value);
      },
  );
}

/** Something that happens to one of the agents that there are. */
function toAgent<T>(values: fc.Arbitrary<T>, run: (world: World, id: string, value: T) => unknown) {
  return toWorkspace(fc.tuple(which, values), async (world, workspaceId, [n, value]) => {
    const all = await world.store.agents(workspaceId);
    const one = all[n % Math.max(1, all.length)];
    if (one !== undefined) await run(world, one.id, value);
  });
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(names, fc.uniqueArray(names, { maxLength: 3 })).map(
    ([name, agents]): Step =>
      ({ store }) =>
        store.define([{ owner: "ada", name, agents: agents.map((agent) => ({ name: agent })) }]),
  ),
  names.map(
    (name): Step =>
      ({ store }) =>
        store.define([{ owner: "", name, isPrebuilt: true, agents: [{ name: "main" }] }]),
  ),
  toWorkspace(names, ({ store }, id, name) => store.claim(id, "ada", name)),
  toWorkspace(
    fc.record({
      transition: fc.constantFrom("start" as const, "stop" as const, "delete" as const),
      status: fc.constantFrom(
        ...(["pending", "running", "succeeded", "succeeded", "failed", "canceled"] as const),
      ),
    }),
    ({ store }, id, { transition, status }) => store.newBuild(id, { transition, job: { status, error: "" } }),
  ),
  toWorkspace(fc.constant(0), ({ store }, id) => store.deleteWorkspace(id)),
  toWorkspace(names, (world, id, name) => world.rename(id, name)),
  toAgent(names, (world, id, name) => world.rename(id, name)),
  toAgent(fc.constant(0), ({ store }, id) => store.deleteAgent(id)),
  toAgent(names, async ({ store }, parentId, name) => {
    const parent = await store.agent(parentId);
    if (parent === undefined) return;
    const { workspaceId, buildId } = parent;
    await store.insertSubAgent({ ...blankAgent(), parentId, workspaceId, buildId, name });
  }),
  fc.tuple(names, fc.boolean()).map(
    ([name, isHidden]): Step =>
      ({ hidden }) =>
        isHidden ? hidden.add(name) : hidden.delete(name),
  ),
  fc.nat({ max: slowestRead }).map(
    (count): Step =>
      (world) => {
        world.readTurns = count;
      },
  ),
  fc.boolean().map(
    (isAway): Step =>
      (world) => {
        world.isAway = isAway;
      },
  ),
  fc.constant((world: World) => world.hint()),
  fc.nat({ max: slowestRead }).map((count) => () => turns(count)),
);

it(
  "S4.33 after any history a client knows what is in the store, as far as it may read it (C9.11)",
  async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = new World();
        await world.begin();
        const end = new AbortController();
        const client = new ClientState();
        const deps = { store: world as never, events: world.events, log: silentLogger };
        const stream = followWorkspaces(deps, world.user, world.ownerId, end.signal);
        const first = await stream.next();
        if (first.done !== true) client.apply(first.value);
        expect(client.toJSON()).toEqual((await world.expected()).toJSON());
        const reading = (async () => {
          for await (const update of stream) client.apply(update);
        })();
        for (const run of steps) {
          try {
            await run(world);
          } catch (error) {
            if (!(error instanceof StoreConflict)) throw error;
          }
        }
        world.isAway = false;
        world.hint();
        // a read that is under way fails, the one after it works
        for (let reads = 0; reads < 3; reads++) {
          await turns(2 * slowestRead);
          await vi.advanceTimersByTimeAsync(30_000);
        }
        await turns(2 * slowestRead);
        expect(client.toJSON()).toEqual((await world.expected()).toJSON());
        end.abort();
        await reading;
        expect(vi.getTimerCount()).toBe(0);
      }),
      runs(150),
    );
  },
  timeoutMs(60_000),
);
