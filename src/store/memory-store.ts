import { checkDefinitions } from "./check-definition.js";
import type { AgentReports, ControlPlaneStore, NewBuild } from "./control-plane-store.js";
import type { DefinedAgent, WorkspaceDefinition } from "./definition.js";
import { MemoryAgent, Recent } from "./memory-agent.js";
import { mergedConnection } from "./merged-connection.js";
import {
  type AgentRecord,
  type AppHealth,
  type AppRecord,
  type AppStatusRecord,
  type BoundaryLogRecord,
  type BoundarySessionRecord,
  type BuildRecord,
  type ConnectionLogRecord,
  type ConnectionReport,
  type ContextSnapshotRecord,
  type LifecycleState,
  type LogRecord,
  type LogSourceRecord,
  prebuildsOwnerId,
  type ResourceMonitors,
  type ResourceSample,
  type ScriptTimingRecord,
  type SecretRecord,
  type StatsRecord,
  type TelemetryRecord,
  type WorkspaceRecord,
} from "./records.js";
import {
  type ConnectionLogFilter,
  type ConnectionUpdate,
  type LogsInserted,
  type ManifestRecords,
  type MetadataUpdate,
  type NewLog,
  StoreConflict,
} from "./store.js";
import { type AgentRows, definedRows, rowsOfNextBuild, type WorkspaceRows } from "./workspace-rows.js";

/** Of connections to agents so many are kept. */
const connectionEntries = 10_000;

const noMonitors: ResourceMonitors = { memory: undefined, volumes: [] };

interface MemoryWorkspace {
  workspace: WorkspaceRecord;
  builds: BuildRecord[];
}

/** A store in memory, empty at first; gone with the process. */
export class MemoryStore implements ControlPlaneStore {
  readonly #workspaces = new Map<string, MemoryWorkspace>();
  readonly #agents = new Map<string, MemoryAgent>();
  readonly #agentIdByToken = new Map<string, string>();
  readonly #secrets = new Map<string, Map<string, SecretRecord>>();
  readonly #connections = new Recent<ConnectionLogRecord>(connectionEntries);
  #lastLogId = 0;

  // ---- who is it ----

  async agentByToken(token: string): Promise<AgentRecord | undefined> {
    const agent = await this.agent(this.#agentIdByToken.get(token) ?? "");
    return agent !== undefined && this.#mayConnect(agent) ? agent : undefined;
  }

  async agent(id: string): Promise<AgentRecord | undefined> {
    return this.#agents.get(id)?.agent;
  }

  async agentsByInstanceId(instanceId: string): Promise<readonly AgentRecord[]> {
    return this.#agentsWhere(
      (agent) => agent.instanceId === instanceId && agent.parentId === undefined && this.#mayConnect(agent),
    );
  }

  async workspace(id: string): Promise<WorkspaceRecord | undefined> {
    return this.#workspaces.get(id)?.workspace;
  }

  async builds(workspaceId: string): Promise<{ first: BuildRecord; latest: BuildRecord } | undefined> {
    const { builds = [] } = this.#workspaces.get(workspaceId) ?? {};
    const [first] = builds;
    const latest = builds.at(-1);
    return first === undefined || latest === undefined ? undefined : { first, latest };
  }

  async latestBuildIds(workspaceIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const ids = new Map<string, string>();
    for (const workspaceId of workspaceIds) {
      const latest = this.#workspaces.get(workspaceId)?.builds.at(-1);
      if (latest !== undefined) ids.set(workspaceId, latest.id);
    }
    return ids;
  }

  async buildAgents(buildId: string): Promise<readonly AgentRecord[]> {
    return this.#agentsWhere((agent) => agent.buildId === buildId && agent.parentId === undefined);
  }

  // ---- what it is told ----

  async manifestRecords(agentId: string): Promise<ManifestRecords> {
    const {
      apps = [],
      scripts = [],
      metadata = [],
      devcontainers = [],
    } = this.#agents.get(agentId)?.rows ?? {};
    return {
      apps: sorted(apps, ({ slug }) => slug),
      scripts: sorted(scripts, ({ id }) => id),
      metadata: sorted(metadata, ({ key }) => key).sort((a, b) => a.displayOrder - b.displayOrder),
      devcontainers,
    };
  }

  async secrets(ownerId: string): Promise<readonly SecretRecord[]> {
    return sorted([...(this.#secrets.get(ownerId)?.values() ?? [])], ({ name }) => name);
  }

  async resourceMonitors(agentId: string): Promise<ResourceMonitors> {
    return this.#agents.get(agentId)?.rows.monitors ?? noMonitors;
  }

  // ---- what it reports of itself ----

  async updateConnections(updates: readonly ConnectionUpdate[]): Promise<void> {
    for (const { agentId, ...connection } of updates) this.#agents.get(agentId)?.update({ connection });
  }

  async updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void> {
    const { state, startedAtUs, readyAtUs } = change;
    this.#agents.get(agentId)?.update({ lifecycleState: state, startedAtUs, readyAtUs });
  }

  async updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void> {
    this.#agents.get(agentId)?.update(startup);
  }

  async updateMetadata(updates: readonly MetadataUpdate[]): Promise<void> {
    for (const update of updates) this.#agents.get(update.agentId)?.updateMetadata(update);
  }

  async insertStats(stats: readonly StatsRecord[]): Promise<void> {
    for (const record of stats) this.#agents.get(record.agentId)?.stats.add(record);
  }

  async updateResourceMonitors(agentId: string, monitors: ResourceMonitors): Promise<void> {
    this.#agents.get(agentId)?.updateMonitors(monitors);
  }

  async insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void> {
    for (const sample of samples) this.#agents.get(agentId)?.samples.add(sample);
  }

  async markUsed(workspaceIds: readonly string[], atUs: number): Promise<void> {
    for (const id of workspaceIds) this.#updateWorkspace(id, { lastUsedAtUs: atUs });
  }

  // ---- apps ----

  async apps(agentId: string): Promise<readonly AppRecord[]> {
    return (await this.manifestRecords(agentId)).apps;
  }

  async updateAppHealth(appId: string, health: AppHealth): Promise<void> {
    this.#agentWithApp(appId)?.updateApp(appId, { health });
  }

  async insertAppStatus(status: AppStatusRecord): Promise<void> {
    this.#agents.get(status.agentId)?.statuses.add(status);
  }

  async appStatuses(
    of: { workspaceId: string } | { agentId: string } | { appId: string },
    limit: number,
  ): Promise<readonly AppStatusRecord[]> {
    const statuses = [...this.#agents.values()]
      .flatMap((agent) => agent.statuses.latest())
      .filter((status) => {
        if ("workspaceId" in of) return status.workspaceId === of.workspaceId;
        if ("agentId" in of) return status.agentId === of.agentId;
        return status.appId === of.appId;
      });
    const newestFirst = (a: AppStatusRecord, b: AppStatusRecord) =>
      b.createdAtUs - a.createdAtUs || (a.id < b.id ? 1 : -1);
    return statuses.sort(newestFirst).slice(0, limit);
  }

  // ---- logs and scripts ----

  async insertLogSource(source: LogSourceRecord): Promise<void> {
    this.#agents.get(source.agentId)?.addLogSource(source);
  }

  async logSources(agentId: string): Promise<readonly LogSourceRecord[]> {
    const { logSources = [] } = this.#agents.get(agentId)?.rows ?? {};
    return [...logSources].sort((a, b) => a.createdAtUs - b.createdAtUs);
  }

  async insertLogs(
    agentId: string,
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
  ): Promise<LogsInserted> {
    const agent = this.#agents.get(agentId);
    const nextId = () => ++this.#lastLogId;
    if (agent === undefined) return { kind: "stored", firstId: nextId(), wereFirst: false };
    return agent.addLogs(logSourceId, createdAtUs, logs, nextId);
  }

  async logs(agentId: string, after: number, limit: number): Promise<readonly LogRecord[]> {
    const { logs = [] } = this.#agents.get(agentId) ?? {};
    const start = logs.findIndex(({ id }) => id > after);
    return start < 0 ? [] : logs.slice(start, start + limit);
  }

  async insertScriptTiming(timing: ScriptTimingRecord): Promise<void> {
    const { scriptId, startedAtUs } = timing;
    const agent = this.#find((one) => one.rows.scripts.some(({ id }) => id === scriptId));
    if (agent === undefined) throw new StoreConflict(`there is no script ${scriptId}`);
    if (agent.timings.latest().some((run) => run.scriptId === scriptId && run.startedAtUs === startedAtUs)) {
      throw new StoreConflict("this run of the script is there already");
    }
    agent.timings.add(timing);
  }

  async scriptTimings(agentId: string): Promise<readonly ScriptTimingRecord[]> {
    return [...(this.#agents.get(agentId)?.timings.latest() ?? [])].sort(
      (a, b) => a.startedAtUs - b.startedAtUs,
    );
  }

  // ---- what happens around it ----

  async insertConnectionReports(reports: readonly ConnectionReport[]): Promise<void> {
    for (const report of reports) {
      const known = this.#connections
        .latest()
        .find((row) => row.connectionId === report.connectionId && row.agentId === report.agentId);
      const merged = mergedConnection(known, report);
      if (known === undefined) this.#connections.add(merged);
      else Object.assign(known, merged);
    }
  }

  async connectionLog(filter: ConnectionLogFilter): Promise<readonly ConnectionLogRecord[]> {
    const { workspaceId, agentId, type, sinceUs, untilUs, isOpen, offset = 0, limit } = filter;
    return this.#connections
      .latest()
      .filter(
        (row) =>
          (workspaceId === undefined || row.workspaceId === workspaceId) &&
          (agentId === undefined || row.agentId === agentId) &&
          (type === undefined || row.type === type) &&
          (sinceUs === undefined || row.connectedAtUs >= sinceUs) &&
          (untilUs === undefined || row.connectedAtUs < untilUs) &&
          (isOpen === undefined || (row.disconnectedAtUs === undefined) === isOpen),
      )
      .sort((a, b) => b.connectedAtUs - a.connectedAtUs || (a.id < b.id ? 1 : -1))
      .slice(offset, offset + limit)
      .map((row) => ({ ...row }));
  }

  async insertBoundarySession(session: BoundarySessionRecord): Promise<void> {
    const sessions = this.#agents.get(session.agentId)?.boundarySessions;
    if (sessions !== undefined && !sessions.has(session.id)) sessions.set(session.id, session);
  }

  async insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void> {
    if (records.some(({ sequence }) => sequence < 0))
      throw new StoreConflict("a sequence number is negative");
    for (const record of records) this.#agents.get(record.agentId)?.boundaryLogs.add(record);
  }

  async replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean> {
    const agent = this.#agents.get(snapshot.agentId);
    if (agent === undefined) return false;
    const stored = agent.context;
    if (stored !== undefined && !isInitial && snapshot.version <= stored.version) return false;
    agent.context = snapshot;
    return true;
  }

  async context(agentId: string): Promise<ContextSnapshotRecord | undefined> {
    return this.#agents.get(agentId)?.context;
  }

  async insertTelemetry(records: readonly TelemetryRecord[]): Promise<void> {
    for (const record of records) this.#agents.get(record.agentId)?.telemetry.add(record);
  }

  // ---- sub-agents ----

  async insertSubAgent(agent: AgentRecord): Promise<void> {
    const { buildId, name } = agent;
    if (this.#agentsWhere((other) => other.buildId === buildId && other.name === name).length > 0) {
      throw new StoreConflict(`workspace agent name "${name}" already exists in this workspace build`);
    }
    const nothing = { apps: [], scripts: [], metadata: [], devcontainers: [], logSources: [] };
    this.#putAgent({ agent, ...nothing, monitors: noMonitors });
  }

  async updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void> {
    const { displayApps, directory } = change;
    this.#agents.get(id)?.update(directory === undefined ? { displayApps } : { displayApps, directory });
  }

  async insertApp(app: AppRecord): Promise<void> {
    const agent = this.#agents.get(app.agentId);
    if (agent === undefined) return;
    if (agent.rows.apps.some(({ slug }) => slug === app.slug)) {
      throw new StoreConflict(`the agent has an app "${app.slug}" already`);
    }
    agent.rows = { ...agent.rows, apps: [...agent.rows.apps, app] };
  }

  async subAgents(parentId: string): Promise<readonly AgentRecord[]> {
    return this.#agentsWhere((agent) => agent.parentId === parentId);
  }

  async deleteAgent(id: string): Promise<void> {
    this.#deleteAgent(id);
  }

  // ---- what there is ----

  async define(definitions: readonly WorkspaceDefinition[]): Promise<DefinedAgent[]> {
    checkDefinitions(definitions);
    const nowUs = Date.now() * 1000;
    const ownerIds = new Map<string, string>();
    const ownerIdOf = (username: string) => {
      const known = this.#ownerId(username) ?? ownerIds.get(username) ?? crypto.randomUUID();
      ownerIds.set(username, known);
      return known;
    };
    const plans = definitions.map((definition) => {
      const current = this.#rowsNamed(definition);
      return definedRows(current, definition, { ownerId: ownerIdOf(definition.owner), nowUs });
    });
    this.#checkTokens(plans);
    for (const rows of plans) this.#putWorkspace(rows);
    return plans.flatMap(({ workspace, agents }) =>
      agents.map(({ agent }) => ({
        workspace: workspace.name,
        owner: workspace.ownerUsername,
        agent: agent.name,
        id: agent.id,
        token: agent.authToken,
      })),
    );
  }

  async workspaces(): Promise<readonly WorkspaceRecord[]> {
    const all = [...this.#workspaces.values()].map(({ workspace }) => workspace);
    return sorted(all, ({ ownerUsername, name }) => `${ownerUsername}\n${name}`);
  }

  async agents(workspaceId: string): Promise<readonly AgentRecord[]> {
    return this.#agentsWhere((agent) => agent.workspaceId === workspaceId).sort(
      (a, b) => a.createdAtUs - b.createdAtUs,
    );
  }

  async deleteWorkspace(id: string): Promise<void> {
    this.#workspaces.delete(id);
    for (const agent of await this.agents(id)) this.#deleteAgent(agent.id);
  }

  async newBuild(workspaceId: string, { transition, job, initiatorId }: NewBuild): Promise<BuildRecord> {
    const { workspace } = this.#existing(workspaceId);
    return this.#addBuild(workspaceId, {
      transition,
      job: job ?? { status: "succeeded", error: "" },
      initiatorId: initiatorId ?? workspace.ownerId,
      isClaim: false,
    });
  }

  async claim(workspaceId: string, owner: string, name: string): Promise<BuildRecord> {
    const { workspace } = this.#existing(workspaceId);
    if (workspace.ownerId !== prebuildsOwnerId)
      throw new StoreConflict("the workspace belongs to somebody already");
    if (this.#named(owner, name) !== undefined)
      throw new StoreConflict(`${owner} has a workspace "${name}" already`);
    const ownerId = this.#ownerId(owner) ?? crypto.randomUUID();
    this.#updateWorkspace(workspaceId, { ownerId, ownerUsername: owner, name });
    return this.#addBuild(workspaceId, {
      transition: "start",
      job: { status: "succeeded", error: "" },
      initiatorId: ownerId,
      isClaim: true,
    });
  }

  async setSecret(
    owner: string,
    name: string,
    secret: { envName: string; filePath: string; value: Uint8Array } | undefined,
  ): Promise<void> {
    const ownerId = this.#ownerId(owner);
    if (ownerId === undefined) throw new StoreConflict(`${owner} has no workspace`);
    const secrets = this.#secrets.get(ownerId) ?? new Map<string, SecretRecord>();
    if (secret === undefined) secrets.delete(name);
    else secrets.set(name, { name, ...secret });
    this.#secrets.set(ownerId, secrets);
  }

  async reports(agentId: string, limit: number): Promise<AgentReports> {
    const agent = this.#agents.get(agentId);
    return {
      stats: agent?.stats.latest(limit) ?? [],
      resourceSamples: agent?.samples.latest(limit) ?? [],
      boundaryLogs: agent?.boundaryLogs.latest(limit) ?? [],
      telemetry: agent?.telemetry.latest(limit) ?? [],
    };
  }

  async close(): Promise<void> {}

  // ---- inside ----

  #find(matches: (agent: MemoryAgent) => boolean): MemoryAgent | undefined {
    for (const agent of this.#agents.values()) if (matches(agent)) return agent;
    return undefined;
  }

  #agentWithApp(appId: string): MemoryAgent | undefined {
    return this.#find(({ rows }) => rows.apps.some(({ id }) => id === appId));
  }

  #agentsWhere(matches: (agent: AgentRecord) => boolean): AgentRecord[] {
    return [...this.#agents.values()].map(({ agent }) => agent).filter(matches);
  }

  /** Agents of a workspace that is stopped may not. */
  #mayConnect({ workspaceId, buildId }: AgentRecord): boolean {
    const { builds = [] } = this.#workspaces.get(workspaceId) ?? {};
    return builds.find(({ id }) => id === buildId)?.transition === "start";
  }

  #existing(workspaceId: string): MemoryWorkspace {
    const known = this.#workspaces.get(workspaceId);
    if (known === undefined) throw new StoreConflict(`there is no workspace ${workspaceId}`);
    return known;
  }

  #named(owner: string, name: string): MemoryWorkspace | undefined {
    for (const known of this.#workspaces.values()) {
      if (known.workspace.ownerUsername === owner && known.workspace.name === name) return known;
    }
    return undefined;
  }

  #ownerId(username: string): string | undefined {
    for (const { workspace } of this.#workspaces.values()) {
      if (workspace.ownerUsername === username) return workspace.ownerId;
    }
    return undefined;
  }

  #rowsNamed({ owner, name, isPrebuilt = false }: WorkspaceDefinition): WorkspaceRows | undefined {
    const known = this.#named(isPrebuilt ? "prebuilds" : owner, name);
    return known && this.#rows(known);
  }

  /** The latest build's. */
  #rows({ workspace, builds }: MemoryWorkspace): WorkspaceRows | undefined {
    const build = builds.at(-1);
    if (build === undefined) return undefined;
    const agents = [...this.#agents.values()]
      .filter(({ agent }) => agent.workspaceId === workspace.id && agent.parentId === undefined)
      .map(({ rows }) => rows);
    return { workspace, build, agents };
  }

  #checkTokens(plans: readonly WorkspaceRows[]): void {
    const planned = new Set(plans.map(({ workspace }) => workspace.id));
    const holders = new Map<string, string>();
    for (const { agent } of this.#agents.values()) {
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

  #putWorkspace({ workspace, build, agents }: WorkspaceRows): void {
    const { builds = [] } = this.#workspaces.get(workspace.id) ?? {};
    if (builds.at(-1)?.id !== build.id) builds.push(build);
    this.#workspaces.set(workspace.id, { workspace, builds });
    const kept = new Set(agents.map(({ agent }) => agent.id));
    const gone = this.#agentsWhere(
      ({ id, workspaceId, parentId }) =>
        workspaceId === workspace.id && parentId === undefined && !kept.has(id),
    );
    for (const { id } of gone) this.#deleteAgent(id);
    for (const rows of agents) this.#putAgent(rows);
  }

  #putAgent(rows: AgentRows): void {
    const { id, authToken } = rows.agent;
    const known = this.#agents.get(id);
    if (known === undefined) {
      this.#agents.set(id, new MemoryAgent(rows));
    } else {
      // not when another agent has it meanwhile
      if (this.#agentIdByToken.get(known.agent.authToken) === id)
        this.#agentIdByToken.delete(known.agent.authToken);
      known.rows = rows;
    }
    this.#agentIdByToken.set(authToken, id);
  }

  #deleteAgent(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    this.#agents.delete(id);
    if (this.#agentIdByToken.get(agent.agent.authToken) === id)
      this.#agentIdByToken.delete(agent.agent.authToken);
    for (const child of this.#agentsWhere(({ parentId }) => parentId === id)) this.#deleteAgent(child.id);
  }

  #updateWorkspace(id: string, change: Partial<WorkspaceRecord>): void {
    const known = this.#workspaces.get(id);
    if (known !== undefined) known.workspace = { ...known.workspace, ...change };
  }

  #addBuild(
    workspaceId: string,
    facts: Pick<BuildRecord, "transition" | "job" | "initiatorId" | "isClaim">,
  ): BuildRecord {
    const known = this.#existing(workspaceId);
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
    const current = this.#rows(known);
    known.builds.push(build);
    if (build.job.status === "succeeded" && current !== undefined) {
      this.#putWorkspace(rowsOfNextBuild({ ...current, workspace: known.workspace }, build, nowUs));
    }
    return build;
  }
}

function sorted<T>(rows: readonly T[], key: (row: T) => string): T[] {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows].sort((a, b) => compare(key(a), key(b)));
}
