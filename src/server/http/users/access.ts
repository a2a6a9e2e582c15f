import { normalizeUuid } from "../../../codec/index.js";
import { goQuote } from "../../../rpc/index.js";
import type { AgentRecord, AgentStore, WorkspaceRecord } from "../../../store/index.js";
import { ApiError } from "../../api-error.js";
import type { UserCall } from "../routes.js";
import type { ApiUser } from "./api-user.js";

const noAgent = "Agent doesn't exist with that id, or you do not have access to it.";
const noResource = "Resource not found or you do not have access to this resource";

/**
 * The agent of the path.
 * @throws ApiError 400 for what is no UUID, 404 for an agent that is not there or not for this user. S5.42.
 */
export async function readableAgent(
  store: AgentStore,
  call: UserCall,
): Promise<{ agent: AgentRecord; workspace: WorkspaceRecord }> {
  const agent = await store.agent(uuidOfPath(call));
  const workspace = agent && (await store.workspace(agent.workspaceId));
  if (agent === undefined || workspace === undefined || !(await mayRead(call.user, workspace, agent))) {
    throw new ApiError(404, noAgent);
  }
  return { agent, workspace };
}

/**
 * The agent of the path, for a tunnel.
 * @throws ApiError as {@link readableAgent}, and 404 for an agent that the user may read and not connect to. S4.35.
 */
export async function connectableAgent(store: AgentStore, call: UserCall): Promise<AgentRecord> {
  const { agent, workspace } = await readableAgent(store, call);
  if (!(await mayConnect(call.user, workspace, agent))) throw notFound();
  return agent;
}

/** Whether a user may open a tunnel to an agent: it is there, and they may read it and connect to it. S4.13. */
export async function mayReach(store: AgentStore, user: ApiUser, agentId: string): Promise<boolean> {
  const agent = await store.agent(agentId);
  const workspace = agent && (await store.workspace(agent.workspaceId));
  if (agent === undefined || workspace === undefined) return false;
  return (await mayRead(user, workspace, agent)) && (await mayConnect(user, workspace, agent));
}

/**
 * A workspace that the user may read.
 * @throws ApiError 404 when there is none. S5.3.
 */
export async function readableWorkspace(
  store: AgentStore,
  user: ApiUser,
  id: string,
): Promise<WorkspaceRecord> {
  const workspace = await store.workspace(id);
  if (workspace === undefined || !(await mayRead(user, workspace, undefined))) throw notFound();
  return workspace;
}

/**
 * The `{id}` of the path.
 * @throws ApiError 400 when it is no UUID. S5.42.
 */
export function uuidOfPath({ params }: UserCall): string {
  const text = params["id"] ?? "";
  const id = normalizeUuid(text);
  if (id !== undefined) return id;
  const detail = `invalid UUID length: ${Buffer.byteLength(text)}`;
  throw new ApiError(400, `Invalid UUID ${goQuote(text)}.`, { detail });
}

/** What there is not, or is not for who asks. S5.3. */
export function notFound(): ApiError {
  return new ApiError(404, noResource);
}

/**
 * Whether a user may read a workspace, or one of its agents.
 * @throws whatever the user's `mayRead` does.
 */
export async function mayRead(
  user: ApiUser,
  workspace: WorkspaceRecord,
  agent: AgentRecord | undefined,
): Promise<boolean> {
  return user.mayRead === "everything" || (await user.mayRead(workspace, agent));
}

async function mayConnect(user: ApiUser, workspace: WorkspaceRecord, agent: AgentRecord): Promise<boolean> {
  if (typeof user.mayConnect === "function") return user.mayConnect(workspace, agent);
  return user.mayConnect === "everything";
}
