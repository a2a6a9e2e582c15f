import type { WorkspaceDefinition } from "./definition.js";
import { MemoryAgent } from "./memory-agent.js";
import type { AgentRecord, BuildRecord, WorkspaceRecord } from "./records.js";
import { StoreConflict } from "./store.js";
import { type AgentRows, rowsOfNextBuild, type WorkspaceRows } from "./workspace-rows.js";

/** A workspace and all of its builds. */
export interface MemoryWorkspace {
  workspace: WorkspaceRecord;
  builds: BuildRecord[];
}

/** Workspaces, builds and agents in memory, and how they hang together. */
export class MemoryTables {
  readonly workspaces = new Map<string, MemoryWorkspace>();
  readonly agents = new Map<string, MemoryAgent>();
  readonly agentIdByToken = new Map<string, string>();

  /** An agent of which something is true. */
  find(matches: (agent: MemoryAgent) => boolean): MemoryAgent | undefined {
    for (const agent of this.agents.values()) if (matches(agent)) return agent;
    return undefined;
  }

  /** The agent that has an app. */
  agentWithApp(appId: string): MemoryAgent | undefined {
    return this.find(({ rows }) => rows.apps.some(({ id }) => id === appId));
  }

  /** The records of agents of which something is true. */
  agentsWhere(matches: (agent: AgentRecord) => boolean): AgentRecord[] {
    return [...this.agents.values()].map(({ agent }) => agent).filter(matches);
  }

  /** Agents of a workspace that is stopped may not. */
  mayConnect({ workspaceId, buildId }: AgentRecord): boolean {
    const { builds = [] } = this.workspaces.get(workspaceId) ?? {};
    return builds.find(({ id }) => id === buildId)?.transition === "start";
  }

  /** @throws StoreConflict when there is no such workspace. */
  existing(workspaceId: string): MemoryWorkspace {
    const known = this.workspaces.get(workspaceId);
    if (known === undefined) throw new StoreConflict(`there is no workspace ${workspaceId}`);
    return known;
  }

  /** A workspace by its owner and name. */
  named(owner: string, name: string): MemoryWorkspace | undefined {
    for (const known of this.workspaces.values()) {
      if (known.workspace.ownerUsername === owner && known.workspace.name === name) return known;
    }
    return undefined;
  }

  /** The id of a user who has a workspace. */
  ownerId(username: string): string | undefined {
    for (const { workspace } of this.workspaces.values()) {
      if (workspace.ownerUsername === username) return workspace.ownerId;
    }
    return undefined;
  }

  /** The rows of a workspace that is declared, where it is there already. */
  rowsNamed({ owner, name, isPrebuilt = false }: WorkspaceDefinition): WorkspaceRows | undefined {
    const known = this.named(isPrebuilt ? "prebuilds" : owner, name);
    return known && this.rows(known);
  }

  /** The latest build's. */
  rows({ workspace, builds }: MemoryWorkspace): WorkspaceRows | undefined {
    const build = builds.at(-1);
    if (build === undefined) return undefined;
    const agents = [...this.agents.values()]
      .filter(({ agent }) => agent.workspaceId === workspace.id && agent.parentId === undefined)
      .map(({ rows }) => rows);
    return { workspace, build, agents };
  }

  /** @throws StoreConflict when a token would have two agents. */
  checkTokens(plans: readonly WorkspaceRows[]): void {
    const planned = new Set(plans.map(({ workspace }) => workspace.id));
    const holders = new Map<string, string>();
    for (const { agent } of this.agents.values()) {
      // those of the workspaces themselves are replaced
      if (agent.parentId === undefined && planned.has(agent.workspaceId)) continue;
      holders.set(agent.authToken, agent.id);
    }
    for (const { agent } of plans.flatMap(({ agents }) => agents)) {
      if (holders.has(agent.authToken)) {
        throw new StoreConflict(`two agents have the same token: ${agent.name} is the second`);
      }
      holders.set(agent.authToken, agent.id);
    }
  }

  /** Puts a workspace and its agents in place; those that it has no more go. */
  putWorkspace({ workspace, build, agents }: WorkspaceRows): void {
    const { builds = [] } = this.workspaces.get(workspace.id) ?? {};
    if (builds.at(-1)?.id !== build.id) builds.push(build);
    this.workspaces.set(workspace.id, { workspace, builds });
    const kept = new Set(agents.map(({ agent }) => agent.id));
    const gone = this.agentsWhere(
      ({ id, workspaceId, parentId }) =>
        workspaceId === workspace.id && parentId === undefined && !kept.has(id),
    );
    for (const { id } of gone) this.deleteAgent(id);
    for (const rows of agents) this.putAgent(rows);
  }

  /** Adds an agent, or changes one to what is declared. What it has reported stays. */
  putAgent(rows: AgentRows): void {
    const { id, authToken } = rows.agent;
    const known = this.agents.get(id);
    if (known === undefined) {
      this.agents.set(id, new MemoryAgent(rows));
    } else {
      // not when another agent has it meanwhile
      if (this.agentIdByToken.get(known.agent.authToken) === id)
        this.agentIdByToken.delete(known.agent.authToken);
      known.rows = rows;
    }
    this.agentIdByToken.set(authToken, id);
  }

  /** With those that it made. */
  deleteAgent(id: string): void {
    const agent = this.agents.get(id);
    if (agent === undefined) return;
    this.agents.delete(id);
    if (this.agentIdByToken.get(agent.agent.authToken) === id)
      this.agentIdByToken.delete(agent.agent.authToken);
    for (const child of this.agentsWhere(({ parentId }) => parentId === id)) this.deleteAgent(child.id);
  }

  /** Changes a workspace; one that is not there stays away. */
  updateWorkspace(id: string, change: Partial<WorkspaceRecord>): void {
    const known = this.workspaces.get(id);
    if (known !== undefined) known.workspace = { ...known.workspace, ...change };
  }

  /** Records a build, and puts its agents in place when its job has succeeded. S9.1. */
  addBuild(
    workspaceId: string,
    facts: Pick<BuildRecord, "transition" | "job" | "initiatorId" | "isClaim">,
  ): BuildRecord {
    const known = this.existing(workspaceId);
    const last = known.builds.at(-1);
    const nowUs = Date.now() * 1000;
    const build: BuildRecord = {
      id: crypto.randomUUID(),
      workspaceId,
      number: (last?.number ?? 0) + 1,
      templateVersionId: last?.templateVersionId ?? workspaceId,
      createdAtUs: nowUs,
      ...facts,
    };
    const current = this.rows(known);
    known.builds.push(build);
    if (build.job.status === "succeeded" && current !== undefined) {
      this.putWorkspace(rowsOfNextBuild({ ...current, workspace: known.workspace }, build, nowUs));
    }
    return build;
  }
}
