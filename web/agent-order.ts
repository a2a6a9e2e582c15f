import type { Agent } from "../src/gen/agentwire/admin/v1/admin_pb.js";

/** An agent with those that it made. */
export interface AgentNode {
  readonly agent: Agent;
  readonly children: readonly AgentNode[];
}

/** Agents below those that made them. One whose maker is not there stands by itself. */
export function agentTree(agents: readonly Agent[]): readonly AgentNode[] {
  const ids = new Set(agents.map(({ id }) => id));
  const below = new Map<string, Agent[]>();
  for (const agent of agents) {
    const parentId = ids.has(agent.parentId) ? agent.parentId : "";
    below.set(parentId, [...(below.get(parentId) ?? []), agent]);
  }
  const nodesOf = (parentId: string): AgentNode[] =>
    (below.get(parentId) ?? []).map((agent) => ({ agent, children: nodesOf(agent.id) }));
  return nodesOf("");
}

/** The same as a list, each with how deep it is: 0 for those of the workspace itself. */
export function inTreeOrder(nodes: readonly AgentNode[], depth = 0): { agent: Agent; depth: number }[] {
  return nodes.flatMap(({ agent, children }) => [{ agent, depth }, ...inTreeOrder(children, depth + 1)]);
}
