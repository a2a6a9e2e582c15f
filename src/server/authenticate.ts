import { normalizeUuid } from "../codec/index.js";
import type { AgentStore } from "../store/index.js";
import type { AgentIdentity } from "./agent-session.js";
import { ApiError } from "./api-error.js";

const notAuthorizedDetail =
  "The agent cannot authenticate until the workspace provision job has been completed. If the job is no longer running, this agent is invalid.";

/**
 * Finds the agent of a token, by the rules of the reference server. S1.7–S1.9.
 * @throws ApiError when there is none.
 */
export async function authenticateAgent(
  store: AgentStore,
  token: string | undefined,
): Promise<AgentIdentity> {
  if (token === undefined) throw new ApiError(401, 'Cookie "coder_session_token" must be provided.');
  const normalized = normalizeUuid(token);
  if (normalized === undefined) {
    const detail = `An agent token must be a valid UUIDv4. (len ${Buffer.byteLength(token)})`;
    throw new ApiError(401, "Workspace agent token invalid.", { detail });
  }
  const agent = await attempt(500, "Internal error checking workspace agent authorization.", () =>
    store.agentByToken(normalized),
  );
  if (agent === undefined) {
    throw new ApiError(401, "Workspace agent not authorized.", { detail: notAuthorizedDetail });
  }
  const workspace = await attempt(400, "Internal error fetching workspace.", () =>
    store.workspace(agent.workspaceId),
  );
  if (workspace === undefined) {
    throw new ApiError(400, "Internal error fetching workspace.", {
      detail: `there is no workspace ${agent.workspaceId}`,
    });
  }
  return { agent, workspace };
}

async function attempt<T>(status: number, message: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new ApiError(status, message, { detail: error instanceof Error ? error.message : String(error) });
  }
}
