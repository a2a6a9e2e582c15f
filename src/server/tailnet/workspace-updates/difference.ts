import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseUuid } from "../../../codec/index.js";
import type {
  AgentSchema,
  Workspace_Status,
  WorkspaceSchema,
} from "../../../gen/coder/tailnet/v2/tailnet_pb.js";

/** What a client knows of a workspace. */
export interface KnownWorkspace {
  id: string;
  name: string;
  status: Workspace_Status;
  /** Names by id. */
  agents: ReadonlyMap<string, string>;
}

/** What a client knows: workspaces by id. */
export type KnownWorkspaces = ReadonlyMap<string, KnownWorkspace>;

/** A workspace, and an agent, as plain objects. */
type WorkspaceInit = MessageInitShape<typeof WorkspaceSchema>;
type AgentInit = MessageInitShape<typeof AgentSchema>;

/** An update as a plain object, for answers. */
export interface WorkspaceUpdateInit {
  upsertedWorkspaces: WorkspaceInit[];
  upsertedAgents: AgentInit[];
  deletedWorkspaces: WorkspaceInit[];
  deletedAgents: AgentInit[];
}

/** Everything, for a client that knows nothing yet. S4.33. */
export function wholeState(known: KnownWorkspaces): WorkspaceUpdateInit {
  return update(new Map(), known);
}

/**
 * What has to be told to a client that knows what was before; undefined when nothing has to. Agents are the same when
 * id and name are: one with a new name is deleted and told again. S4.33.
 */
export function difference(before: KnownWorkspaces, after: KnownWorkspaces): WorkspaceUpdateInit | undefined {
  const told = update(before, after);
  return Object.values(told).some((list) => list.length > 0) ? told : undefined;
}

function update(before: KnownWorkspaces, after: KnownWorkspaces): WorkspaceUpdateInit {
  const told: WorkspaceUpdateInit = {
    upsertedWorkspaces: [],
    upsertedAgents: [],
    deletedWorkspaces: [],
    deletedAgents: [],
  };
  for (const workspace of after.values()) {
    const known = before.get(workspace.id);
    if (known?.name !== workspace.name || known.status !== workspace.status) {
      told.upsertedWorkspaces.push(workspaceOf(workspace));
    }
    told.upsertedAgents.push(...agentsMissingIn(known, workspace));
    if (known !== undefined) told.deletedAgents.push(...agentsMissingIn(workspace, known));
  }
  for (const workspace of before.values()) {
    if (after.has(workspace.id)) continue;
    told.deletedWorkspaces.push(workspaceOf(workspace));
    told.deletedAgents.push(...agentsMissingIn(undefined, workspace));
  }
  return told;
}

/** The agents of a workspace that it does not have in another state. */
function agentsMissingIn(
  other: KnownWorkspace | undefined,
  { id: workspaceId, agents }: KnownWorkspace,
): AgentInit[] {
  return [...agents]
    .filter(([id, name]) => other?.agents.get(id) !== name)
    .map(([id, name]) => ({ id: bytesOf(id), name, workspaceId: bytesOf(workspaceId) }));
}

function workspaceOf({ id, name, status }: KnownWorkspace): WorkspaceInit {
  return { id: bytesOf(id), name, status };
}

function bytesOf(id: string): Uint8Array {
  return parseUuid(id) ?? new Uint8Array(0);
}
