import type { Client } from "@connectrpc/connect";
import { formatUuid, parseUuid } from "../../codec/index.js";
import type { Tailnet, Workspace_Status, WorkspaceUpdate } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { noUuid } from "../uuid-option.js";
import { untilStreamEnd } from "./stream-end.js";

/** An agent of a workspace that is followed. */
export interface FollowedAgent {
  /** A UUID, lower-case: what `addTunnel` takes. */
  readonly id: string;
  readonly name: string;
}

/** A workspace that is followed. */
export interface FollowedWorkspace {
  /** A UUID, lower-case. */
  readonly id: string;
  readonly name: string;
  /** What its latest build is doing or did. */
  readonly status: Workspace_Status;
  /** By id. */
  readonly agents: ReadonlyMap<string, FollowedAgent>;
}

/** All workspaces of an owner that the user may read, by id. Never changes: the next state is another map. */
export type FollowedWorkspaces = ReadonlyMap<string, FollowedWorkspace>;

/**
 * The workspaces of an owner, at once and whenever something has changed, over one connection: always all of them.
 * @param ownerId a user's UUID.
 * @param signal ends the iteration, and the call.
 * @throws RpcError `recv workspace update: …` when the stream ends, in order or not. TypeError when the id is no UUID.
 */
export async function* followWorkspaces(
  tailnet: Pick<Client<typeof Tailnet>, "workspaceUpdates">,
  ownerId: string,
  signal?: AbortSignal,
): AsyncGenerator<FollowedWorkspaces, void, undefined> {
  const workspaceOwnerId = parseUuid(ownerId);
  if (workspaceOwnerId === undefined) throw noUuid("ownerId", ownerId);
  const state = new WorkspaceState();
  yield* untilStreamEnd({
    doing: "recv workspace update",
    method: "WorkspaceUpdates",
    call: () => tailnet.workspaceUpdates({ workspaceOwnerId }, signal && { signal }),
    take: (update) => state.after(update),
    signal,
  });
}

/** All workspaces as the updates so far have them. */
class WorkspaceState {
  #workspaces: ReadonlyMap<string, FollowedWorkspace> = new Map();
  readonly #workspaceOf = new Map<string, string>();

  /**
   * The state after one more update: workspaces that are new or changed, agents that are gone, workspaces that are
   * gone, agents that are new, in this order. C9.11.
   * @throws Error when the update makes no sense; another call begins with the full state.
   */
  after(update: WorkspaceUpdate): FollowedWorkspaces {
    const workspaces = new Map(this.#workspaces);
    // what readers have been given stays as it is: the agents of a workspace are copied before the first change
    const copied = new Map<string, Map<string, FollowedAgent>>();
    const agentsOf = (workspaceId: string): Map<string, FollowedAgent> | undefined => {
      const workspace = workspaces.get(workspaceId);
      if (workspace === undefined) return undefined;
      const agents = copied.get(workspaceId) ?? new Map(workspace.agents);
      copied.set(workspaceId, agents);
      workspaces.set(workspaceId, { ...workspace, agents });
      return agents;
    };
    const removeAgent = (agentId: string) => {
      agentsOf(this.#workspaceOf.get(agentId) ?? "")?.delete(agentId);
      this.#workspaceOf.delete(agentId);
    };

    for (const { id, name, status } of update.upsertedWorkspaces) {
      const workspaceId = uuidOf(id);
      const agents = workspaces.get(workspaceId)?.agents ?? new Map();
      workspaces.set(workspaceId, { id: workspaceId, name, status, agents });
    }
    for (const { id } of update.deletedAgents) removeAgent(uuidOf(id));
    for (const { id } of update.deletedWorkspaces) {
      const workspaceId = uuidOf(id);
      for (const agentId of workspaces.get(workspaceId)?.agents.keys() ?? [])
        this.#workspaceOf.delete(agentId);
      workspaces.delete(workspaceId);
      copied.delete(workspaceId);
    }
    for (const agent of update.upsertedAgents) {
      const [id, workspaceId] = [uuidOf(agent.id), uuidOf(agent.workspaceId)];
      if (this.#workspaceOf.get(id) !== workspaceId) removeAgent(id);
      const agents = agentsOf(workspaceId);
      if (agents === undefined) throw new Error(`the workspace ${workspaceId} of agent ${id} is not known`);
      agents.set(id, { id, name: agent.name });
      this.#workspaceOf.set(id, workspaceId);
    }
    this.#workspaces = workspaces;
    return workspaces;
  }
}

function uuidOf(bytes: Uint8Array): string {
  const id = formatUuid(bytes);
  if (id === undefined) throw new Error(`an id of ${bytes.length} bytes is no UUID`);
  return id;
}
