import type { AgentDefinition, WorkspaceDefinition } from "./definition.js";
import { StoreConflict } from "./store.js";

/**
 * Things are known by their names, so none may be there twice.
 * @throws StoreConflict that says which is, before anything has been changed.
 */
export function checkDefinitions(definitions: readonly WorkspaceDefinition[]): void {
  refuseTwins("two workspaces", definitions, ({ owner, name }) => `${owner}/${name}`);
  const agents = definitions.flatMap((workspace) => workspace.agents);
  refuseTwins(
    "two agents with the token of",
    agents,
    (agent) => agent.token,
    ({ name }) => name,
  );
  for (const { owner, name, agents } of definitions) {
    refuseTwins(`workspace ${owner}/${name}: two agents`, agents, (agent) => agent.name);
    for (const agent of agents) checkAgent(`agent ${owner}/${name}/${agent.name}`, agent);
  }
}

function checkAgent(what: string, agent: AgentDefinition): void {
  const { scripts = [], apps = [], metadata = [], devcontainers = [], logSources = [] } = agent;
  refuseTwins(`${what}: two scripts`, scripts, ({ displayName }) => displayName);
  refuseTwins(`${what}: two apps`, apps, ({ slug }) => slug);
  refuseTwins(`${what}: two metadata keys`, metadata, ({ key }) => key);
  refuseTwins(`${what}: two devcontainers`, devcontainers, ({ name }) => name);
  refuseTwins(`${what}: two log sources`, logSources, ({ displayName }) => displayName);
}

function refuseTwins<T>(
  what: string,
  rows: readonly T[],
  keyOf: (row: T) => string | undefined,
  shown: (row: T) => string | undefined = keyOf,
): void {
  const seen = new Set<string>();
  for (const row of rows) {
    const key = keyOf(row);
    if (key === undefined) continue;
    if (seen.has(key)) throw new StoreConflict(`${what} "${shown(row)}"`);
    seen.add(key);
  }
}
