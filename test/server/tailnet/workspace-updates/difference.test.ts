import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Workspace_Status } from "../../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import {
  difference,
  type KnownWorkspaces,
  wholeState,
} from "../../../../src/server/tailnet/workspace-updates/difference.js";
import { workspaceStatus } from "../../../../src/server/tailnet/workspace-updates/status.js";
import type { BuildRecord } from "../../../../src/store/index.js";
import { runs } from "../../../support/scale.js";
import { ClientState, clientOf, textOf } from "./client-state.js";

const { RUNNING, STOPPED } = Workspace_Status;
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

function known(
  ...workspaces: { n: number; name?: string; status?: Workspace_Status; agents?: Record<number, string> }[]
): KnownWorkspaces {
  return new Map(
    workspaces.map(({ n, name = `w${n}`, status = RUNNING, agents = {} }) => [
      uuid(n),
      {
        id: uuid(n),
        name,
        status,
        agents: new Map(Object.entries(agents).map(([id, agent]) => [uuid(Number(id)), agent])),
      },
    ]),
  );
}

/** An update in short: `+` and `-`, the kind and the name. */
function inShort(update: ReturnType<typeof difference>): string[] | undefined {
  return (
    update && [
      ...update.upsertedWorkspaces.map(({ name, status }) => `+w ${name} ${Workspace_Status[status ?? 0]}`),
      ...update.deletedAgents.map(({ name }) => `-a ${name}`),
      ...update.deletedWorkspaces.map(({ name }) => `-w ${name}`),
      ...update.upsertedAgents.map(({ name }) => `+a ${name}`),
    ]
  );
}

describe("S4.33 the difference between two states", () => {
  const before = known({ n: 1, agents: { 10: "main" } });

  it("is nothing when nothing has changed", () => {
    expect(difference(before, known({ n: 1, agents: { 10: "main" } }))).toBeUndefined();
    expect(difference(new Map(), new Map())).toBeUndefined();
  });

  it("is everything for whoever knows nothing, even when there is nothing", () => {
    expect(inShort(wholeState(before))).toEqual(["+w w1 RUNNING", "+a main"]);
    expect(inShort(wholeState(new Map()))).toEqual([]);
  });

  it("is a new workspace with all its agents, with their ids", () => {
    const update = difference(new Map(), known({ n: 1, agents: { 10: "main", 11: "side" } }));
    expect(inShort(update)).toEqual(["+w w1 RUNNING", "+a main", "+a side"]);
    const [agent] = update?.upsertedAgents ?? [];
    expect([textOf(agent?.id), textOf(agent?.workspaceId)]).toEqual([uuid(10), uuid(1)]);
    expect(textOf(update?.upsertedWorkspaces[0]?.id)).toBe(uuid(1));
  });

  it("is a workspace with a new name or status, without its agents", () => {
    expect(inShort(difference(before, known({ n: 1, name: "new", agents: { 10: "main" } })))).toEqual([
      "+w new RUNNING",
    ]);
    expect(inShort(difference(before, known({ n: 1, status: STOPPED, agents: { 10: "main" } })))).toEqual([
      "+w w1 STOPPED",
    ]);
  });

  it("is agents that are new, gone, or have a new name, without their workspace", () => {
    expect(inShort(difference(before, known({ n: 1, agents: { 11: "main" } })))).toEqual([
      "-a main",
      "+a main",
    ]);
    expect(inShort(difference(before, known({ n: 1, agents: { 10: "new" } })))).toEqual([
      "-a main",
      "+a new",
    ]);
    expect(inShort(difference(before, known({ n: 1 })))).toEqual(["-a main"]);
  });

  it("is a workspace that is gone, and its agents", () => {
    const update = difference(before, new Map());
    expect(inShort(update)).toEqual(["-a main", "-w w1"]);
    expect(textOf(update?.deletedAgents[0]?.workspaceId)).toBe(uuid(1));
  });

  it("leads a client from any state to any other, and tells nothing that it knows", () => {
    const statuses = fc.constantFrom(RUNNING, STOPPED, Workspace_Status.FAILED);
    const name = fc.constantFrom("a", "b");
    const workspace = fc.record({
      n: fc.integer({ min: 1, max: 4 }),
      name,
      status: statuses,
      agents: fc.dictionary(fc.constantFrom("10", "11", "12"), name),
    });
    // agents have the same ids in all workspaces: each is in one only
    const state = fc.uniqueArray(workspace, { selector: ({ n }) => n }).map((all) =>
      known(
        ...all.map((one) => ({
          ...one,
          agents: Object.fromEntries(
            Object.entries(one.agents).map(([id, of]) => [Number(id) * 10 + one.n, of]),
          ),
        })),
      ),
    );
    fc.assert(
      fc.property(state, state, (from, to) => {
        const client = clientOf(from);
        const update = difference(from, to);
        if (update !== undefined) client.apply(update);
        expect(client.toJSON()).toEqual(clientOf(to).toJSON());
        expect(update === undefined).toBe(JSON.stringify(clientOf(from)) === JSON.stringify(clientOf(to)));
        const fresh = new ClientState();
        fresh.apply(wholeState(to));
        expect(fresh.toJSON()).toEqual(clientOf(to).toJSON());
      }),
      runs(500),
    );
  });
});

describe("S4.33 the status of a workspace", () => {
  const statusOf = (transition: string, status: string) =>
    Workspace_Status[
      workspaceStatus({ transition, job: { status, error: "" } } as Pick<BuildRecord, "transition" | "job">)
    ];

  it.each([
    ["start", "pending", "PENDING"],
    ["stop", "pending", "PENDING"],
    ["start", "running", "STARTING"],
    ["stop", "running", "STOPPING"],
    ["delete", "running", "DELETING"],
    ["start", "succeeded", "RUNNING"],
    ["stop", "succeeded", "STOPPED"],
    ["delete", "succeeded", "DELETED"],
    ["start", "failed", "FAILED"],
    ["delete", "failed", "FAILED"],
    ["stop", "canceled", "CANCELED"],
    ["start", "other", "UNKNOWN"],
    ["other", "running", "UNKNOWN"],
    ["other", "succeeded", "UNKNOWN"],
  ])("of a %s that is %s is %s", (transition, status, expected) => {
    expect(statusOf(transition, status)).toBe(expected);
  });
});
