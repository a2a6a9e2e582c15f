import { formatUuid } from "../../../../src/codec/index.js";
import { Workspace_Status } from "../../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type {
  KnownWorkspaces,
  WorkspaceUpdateInit,
} from "../../../../src/server/tailnet/workspace-updates/difference.js";

/** What a client makes of updates, in the order of C9.11. It minds whatever does not fit what it knows. */
export class ClientState {
  readonly workspaces = new Map<string, { name: string; status: string }>();
  readonly agents = new Map<string, { name: string; workspaceId: string }>();

  apply(update: WorkspaceUpdateInit): void {
    const { upsertedWorkspaces, deletedAgents, deletedWorkspaces, upsertedAgents } = update;
    for (const { id, name = "", status } of upsertedWorkspaces) {
      this.workspaces.set(textOf(id), { name, status: Workspace_Status[status ?? 0] ?? "" });
    }
    for (const { id } of deletedAgents) {
      if (!this.agents.delete(textOf(id))) throw new Error("an agent that is not there was deleted");
    }
    for (const { id } of deletedWorkspaces) {
      if (!this.workspaces.delete(textOf(id))) throw new Error("a workspace that is not there was deleted");
    }
    for (const { id, name = "", workspaceId } of upsertedAgents) {
      if (!this.workspaces.has(textOf(workspaceId))) throw new Error("an agent has no workspace");
      this.agents.set(textOf(id), { name, workspaceId: textOf(workspaceId) });
    }
  }

  /** To be compared. */
  toJSON() {
    return { workspaces: sorted(this.workspaces), agents: sorted(this.agents) };
  }
}

/** What a client that knows this has. */
export function clientOf(known: KnownWorkspaces): ClientState {
  const client = new ClientState();
  for (const { id, name, status, agents } of known.values()) {
    client.workspaces.set(id, { name, status: Workspace_Status[status] ?? "" });
    for (const [agentId, agentName] of agents)
      client.agents.set(agentId, { name: agentName, workspaceId: id });
  }
  return client;
}

export function textOf(id: Uint8Array | undefined): string {
  const text = formatUuid(id ?? new Uint8Array());
  if (text === undefined) throw new Error("an id is not 16 bytes long");
  return text;
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
