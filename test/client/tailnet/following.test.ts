import { getEventListeners } from "node:events";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type FollowedWorkspaces,
  followDerpMaps,
  followWorkspaces,
  rewriteEmbeddedRelay,
  WorkspaceStatus,
} from "../../../src/client/index-node.js";
import { Latest } from "../../../src/client/tailnet/latest.js";
import type { TailnetClient } from "../../../src/client/tailnet/shared-fate.js";
import { DERPMapSchema, WorkspaceUpdateSchema } from "../../../src/gen/coder/tailnet/v2/index_pb.js";
import { collect } from "../../support/echo.js";
import { settle } from "../../support/scripted-connection.js";

const uuid = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
const bytes = (n: number) => Buffer.from(uuid(n).replaceAll("-", ""), "hex");
const workspace = (n: number, name: string, status = WorkspaceStatus.RUNNING) => ({
  id: bytes(n),
  name,
  status,
});
const agent = (n: number, name: string, of: number) => ({ id: bytes(n), name, workspaceId: bytes(of) });

type Update = MessageInitShape<typeof WorkspaceUpdateSchema>;

/** A tailnet client whose stream says these updates, and ends. */
const saying = (...updates: Update[]) =>
  ({
    async *workspaceUpdates() {
      for (const update of updates) yield create(WorkspaceUpdateSchema, update);
    },
  }) as unknown as TailnetClient;

/** All states until the stream has ended, and why it has. */
async function statesOf(tailnet: TailnetClient) {
  const states: FollowedWorkspaces[] = [];
  try {
    for await (const state of followWorkspaces(tailnet, uuid(0))) states.push(state);
  } catch (error) {
    return { states: states.map(words), error: (error as Error).message };
  }
  throw new Error("the states ended without an error");
}

const words = (state: FollowedWorkspaces) =>
  [...state.values()].map(
    ({ name, status, agents }) =>
      `${name} ${WorkspaceStatus[status]}: ${[...agents.values()].map((each) => each.name).join(" ")}`,
  );

describe("workspaces that are followed", () => {
  it("are all of them after each message, in the order of the rule (C9.11)", async () => {
    const { states, error } = await statesOf(
      saying(
        {
          upsertedWorkspaces: [workspace(1, "dev"), workspace(2, "web")],
          upsertedAgents: [agent(5, "main", 1), agent(6, "side", 1), agent(7, "main", 2)],
        },
        // renamed: gone by its old name and new by the other, in one message
        { deletedAgents: [agent(5, "main", 1)], upsertedAgents: [agent(5, "first", 1)] },
        { upsertedWorkspaces: [workspace(1, "dev", WorkspaceStatus.STOPPING)] },
        {
          upsertedWorkspaces: [workspace(3, "new", WorkspaceStatus.PENDING)],
          deletedWorkspaces: [workspace(1, "dev")],
          deletedAgents: [agent(5, "first", 1), agent(6, "side", 1)],
          upsertedAgents: [agent(8, "main", 3)],
        },
        // the same again, as from a server that repeats itself
        { deletedWorkspaces: [workspace(1, "dev")], deletedAgents: [agent(6, "side", 1)] },
        // an agent cannot be in two places
        { upsertedAgents: [agent(7, "moved", 3)] },
      ),
    );
    expect(states).toEqual([
      ["dev RUNNING: main side", "web RUNNING: main"],
      ["dev RUNNING: side first", "web RUNNING: main"],
      ["dev STOPPING: side first", "web RUNNING: main"],
      ["web RUNNING: main", "new PENDING: main"],
      ["web RUNNING: main", "new PENDING: main"],
      ["web RUNNING: ", "new PENDING: main moved"],
    ]);
    expect(error).toContain("recv workspace update: EOF");
  });

  it("are told of even where there are none", async () => {
    expect((await statesOf(saying({}))).states).toEqual([[]]);
  });

  it("do not change in the hands of a reader", async () => {
    const states = followWorkspaces(
      saying(
        { upsertedWorkspaces: [workspace(1, "dev")], upsertedAgents: [agent(5, "main", 1)] },
        { upsertedAgents: [agent(6, "side", 1)] },
      ),
      uuid(0),
    );
    const first = await states.next();
    await states.next();
    expect(first.done ? undefined : words(first.value)).toEqual(["dev RUNNING: main"]);
  });

  it.each([
    ["of a workspace that is not there", { upsertedAgents: [agent(5, "main", 1)] }, "is not known"],
    ["with an id that is none", { deletedAgents: [{ id: new Uint8Array(2) }] }, "2 bytes is no UUID"],
  ])("end where an agent is %s: another call begins with all", async (_name, update, text) => {
    const { error } = await statesOf(saying(update));
    expect(error).toContain("recv workspace update: ");
    expect(error).toContain(text);
  });

  it("are those of an owner with a UUID", async () => {
    await expect(collect(followWorkspaces(saying(), "ada"))).rejects.toThrow(
      'ownerId is a UUID, and not "ada"',
    );
  });
});

describe("C1.58 the embedded relay", () => {
  const map = create(DERPMapSchema, {
    homeParams: { regionScore: { 1: 0.5 } },
    regions: {
      1: { regionId: 1n, nodes: [{ name: "1a", hostName: "relay.example.com", derpPort: 8443 }] },
      999: {
        regionId: 999n,
        embeddedRelay: true,
        nodes: [
          { name: "999a", hostName: "control.example.com", derpPort: 443 },
          { name: "999stun", hostName: "stun.example.com", stunOnly: true },
        ],
      },
    },
  });

  it.each([
    ["https://coder.example.com/prefix", "coder.example.com", 443, false],
    ["http://coder.example.com", "coder.example.com", 80, true],
    ["ws://127.0.0.1:3400", "127.0.0.1", 3400, true],
    ["https://[::1]:8443", "::1", 8443, false],
  ])("of %s is at %s:%i", (url, hostName, derpPort, forceHttp) => {
    const before = structuredClone(map);
    const { regions, homeParams } = rewriteEmbeddedRelay(map, url);
    expect(regions["999"]?.nodes[0]).toMatchObject({ name: "999a", hostName, derpPort, forceHttp });
    expect(regions["999"]?.nodes[1]).toEqual(map.regions["999"]?.nodes[1]);
    expect(regions["1"]).toEqual(map.regions["1"]);
    expect(homeParams).toEqual(map.homeParams);
    expect(map).toEqual(before);
  });

  it("is in each map that is followed, whose end is an error, however clean (C9.8)", async () => {
    const tailnet = {
      async *streamDERPMaps() {
        yield map;
      },
    } as unknown as TailnetClient;
    const { signal } = new AbortController();
    const maps = followDerpMaps(tailnet, { url: "http://127.0.0.1:80", signal });
    expect((await maps.next()).value?.regions["999"]?.nodes[0]?.hostName).toBe("127.0.0.1");
    await expect(maps.next()).rejects.toThrow("recv DERPMap error: EOF");
    expect(await collect(followDerpMaps(tailnet, { signal: AbortSignal.abort() }))).toEqual([map]);
  });
});

describe("the latest state", () => {
  it("is all that a slow reader gets, and is made once for all", async () => {
    const latest = new Latest<number>();
    let made = 0;
    const readers = [latest.read(), latest.read()];
    const first = readers.map((reader) => reader.next());
    for (let i = 1; i <= 1000; i++) {
      latest.set(() => {
        made++;
        return i;
      });
    }
    expect((await Promise.all(first)).map(({ value }) => value)).toEqual([1000, 1000]);
    expect(made).toBe(1);
    latest.set(() => 7);
    latest.end(new Error("over"));
    latest.set(() => 8);
    expect(await readers[0]?.next()).toEqual({ done: false, value: 7 });
    await expect(readers[0]?.next()).rejects.toThrow("over");
    expect(await collect(latest.read(AbortSignal.abort()))).toEqual([]);
  });

  it("leaves nothing on the signal of who reads it", async () => {
    const latest = new Latest<number>();
    const abort = new AbortController();
    const reading = collect(latest.read(abort.signal));
    for (let i = 0; i < 5; i++) {
      latest.set(() => i);
      await settle(1);
    }
    expect(getEventListeners(abort.signal, "abort").length).toBeLessThanOrEqual(1);
    abort.abort();
    expect((await reading).length).toBeGreaterThan(1);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });
});
