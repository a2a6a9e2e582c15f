import type { AgentRecord, AgentStore } from "../../store/index.js";
import { ApiError } from "../api-error.js";

/**
 * The agent of a machine. S5.41.
 * @param agentName which one of several; blanks around it do not count, and empty is any.
 * @throws ApiError when there is none, or more than one, or one of a build that is over.
 */
export async function agentOfInstance(
  store: AgentStore,
  instanceId: string,
  agentName: string,
): Promise<AgentRecord> {
  const agents = await store.agentsByInstanceId(instanceId);
  if (agents.length === 0) throw new ApiError(404, `Instance with id "${instanceId}" not found.`);
  const agent = chosen(agents, instanceId, agentName.trim());
  const builds = await store.builds(agent.workspaceId);
  if (builds?.latest.id !== agent.buildId) {
    throw new ApiError(
      400,
      `Resource found for id "${instanceId}", but isn't registered on the latest history.`,
    );
  }
  return agent;
}

function chosen(agents: readonly AgentRecord[], instanceId: string, name: string): AgentRecord {
  // machines of two workspaces may have agents of one name: the newest has the machine now
  const newestFirst = agents.toSorted((a, b) => b.createdAtUs - a.createdAtUs);
  if (name !== "") {
    const named = newestFirst.find((agent) => agent.name === name);
    if (named !== undefined) return named;
    throw new ApiError(404, `No agent found with instance ID "${instanceId}" and name "${name}".`);
  }
  const [agent, another] = newestFirst;
  if (agent !== undefined && another === undefined) return agent;
  const names = agents.map((each) => each.name).sort();
  throw new ApiError(
    409,
    `Multiple agents found with instance ID "${instanceId}". Set CODER_AGENT_NAME to one of: ${names.join(", ")}`,
  );
}
