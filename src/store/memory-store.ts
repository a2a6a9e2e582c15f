import { byText } from "./by-text.js";
import { checkDefinitions } from "./check-definition.js";
import type { AgentReports, ControlPlaneStore, NewBuild } from "./control-plane-store.js";
import type { DefinedAgent, WorkspaceDefinition } from "./definition.js";
import { type MemoryAgent, Recent } from "./memory-agent.js";
import { MemoryTables } from "./memory-tables.js";
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
import { MemorySigningKeys, type SigningKeyRecord } from "./signing-keys.js";
import {
  type ConnectionLogFilter,
  type ConnectionUpdate,
  type LogsInserted,
  type ManifestRecords,
  type MetadataUpdate,
  type NewLog,
  type OwnedWorkspace,
  StoreConflict,
} from "./store.js";
import { definedRows } from "./workspace-rows.js";

/** Of connections to agents so many are kept. */
const connectionEntries = 10_000;

const noMonitors: ResourceMonitors = { memory: undefined, volumes: [] };

/** A store in memory, empty at first; gone with the process. */
export class MemoryStore implements ControlPlaneStore {
  readonly #tables = new MemoryTables();
  readonly #secrets = new Map<string, Map<string, SecretRecord>>();
  readonly #signingKeys = new MemorySigningKeys();
  readonly #connections = new Recent<ConnectionLogRecord>(connectionEntries);
  #lastLogId = 0;

  // ---- who is it ----

  async agentByToken(token: string): Promise<AgentRecord | undefined> {
    const agent = await this.agent(this.#tables.agentIdByToken.get(token) ?? "");
    return agent !== undefined && this.#tables.mayConnect(agent) ? agent : undefined;
  }

  async agent(id: string): Promise<AgentRecord | undefined> {
    return this.#tables.agents.get(id)?.agent;
  }

  async agentsByInstanceId(instanceId: string): Promise<readonly AgentRecord[]> {
    return this.#tables.agentsWhere(
      (agent) =>
        agent.instanceId === instanceId && agent.parentId === undefined && this.#tables.mayConnect(agent),
    );
  }

  async workspace(id: string): Promise<WorkspaceRecord | undefined> {
    return this.#tables.workspaces.get(id)?.workspace;
  }

  async builds(workspaceId: string): Promise<{ first: BuildRecord; latest: BuildRecord } | undefined> {
    const { builds = [] } = this.#tables.workspaces.get(workspaceId) ?? {};
    const [first] = builds;
    const latest = builds.at(-1);
    return first === undefined || latest === undefined ? undefined : { first, latest };
  }

  async latestBuildIds(workspaceIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const ids = new Map<string, string>();
    for (const workspaceId of workspaceIds) {
      const latest = this.#tables.workspaces.get(workspaceId)?.builds.at(-1);
      if (latest !== undefined) ids.set(workspaceId, latest.id);
    }
    return ids;
  }

  async buildAgents(buildId: string): Promise<readonly AgentRecord[]> {
    return this.#tables.agentsWhere((agent) => agent.buildId === buildId && agent.parentId === undefined);
  }

  async ownedWorkspaces(ownerId: string): Promise<readonly OwnedWorkspace[]> {
    const owned = [...this.#tables.workspaces.values()].filter(
      ({ workspace }) => workspace.ownerId === ownerId,
    );
    return byText(owned, ({ workspace }) => workspace.name).flatMap(({ workspace, builds }) => {
      const latestBuild = builds.at(-1);
      if (latestBuild === undefined) return [];
      const agents = this.#tables
        .agentsWhere((agent) => agent.buildId === latestBuild.id)
        .sort((a, b) => a.createdAtUs - b.createdAtUs);
      return [{ workspace, latestBuild, agents }];
    });
  }

  // ---- what it is told ----

  async manifestRecords(agentId: string): Promise<ManifestRecords> {
    const {
      apps = [],
      scripts = [],
      metadata = [],
      devcontainers = [],
    } = this.#tables.agents.get(agentId)?.rows ?? {};
    return {
      apps: byText(apps, ({ slug }) => slug),
      scripts: byText(scripts, ({ id }) => id),
      metadata: byText(metadata, ({ key }) => key).sort((a, b) => a.displayOrder - b.displayOrder),
      devcontainers,
    };
  }

  async secrets(ownerId: string): Promise<readonly SecretRecord[]> {
    return byText([...(this.#secrets.get(ownerId)?.values() ?? [])], ({ name }) => name);
  }

  async resourceMonitors(agentId: string): Promise<ResourceMonitors> {
    return this.#tables.agents.get(agentId)?.rows.monitors ?? noMonitors;
  }

  // ---- what it reports of itself ----

  async updateConnections(updates: readonly ConnectionUpdate[]): Promise<void> {
    for (const { agentId, ...connection } of updates)
      this.#tables.agents.get(agentId)?.update({ connection });
  }

  async updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void> {
    const { state, startedAtUs, readyAtUs } = change;
    this.#tables.agents.get(agentId)?.update({ lifecycleState: state, startedAtUs, readyAtUs });
  }

  async updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void> {
    this.#tables.agents.get(agentId)?.update(startup);
  }

  async updateMetadata(updates: readonly MetadataUpdate[]): Promise<void> {
    for (const update of updates) this.#tables.agents.get(update.agentId)?.updateMetadata(update);
  }

  async insertStats(stats: readonly StatsRecord[]): Promise<void> {
    for (const record of stats) this.#tables.agents.get(record.agentId)?.stats.add(record);
  }

  async updateResourceMonitors(agentId: string, monitors: ResourceMonitors): Promise<void> {
    this.#tables.agents.get(agentId)?.updateMonitors(monitors);
  }

  async insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void> {
    for (const sample of samples) this.#tables.agents.get(agentId)?.samples.add(sample);
  }

  async markUsed(workspaceIds: readonly string[], atUs: number): Promise<void> {
    for (const id of workspaceIds) this.#tables.updateWorkspace(id, { lastUsedAtUs: atUs });
  }

  // ---- apps ----

  async apps(agentId: string): Promise<readonly AppRecord[]> {
    return (await this.manifestRecords(agentId)).apps;
  }

  async updateAppHealth(appId: string, health: AppHealth): Promise<void> {
    this.#tables.agentWithApp(appId)?.updateApp(appId, { health });
  }

  async insertAppStatus(status: AppStatusRecord): Promise<void> {
    this.#tables.agents.get(status.agentId)?.statuses.add(status);
  }

  async appStatuses(
    of: { workspaceId: string } | { agentId: string } | { appId: string },
    limit: number,
  ): Promise<readonly AppStatusRecord[]> {
    const statuses = this.#agentsOf(of)
      .flatMap((agent) => agent.statuses.latest())
      .filter((status) => !("appId" in of) || status.appId === of.appId);
    const newestFirst = (a: AppStatusRecord, b: AppStatusRecord) =>
      b.createdAtUs - a.createdAtUs || (a.id < b.id ? 1 : -1);
    return statuses.sort(newestFirst).slice(0, limit);
  }

  // ---- logs and scripts ----

  async insertLogSource(source: LogSourceRecord): Promise<void> {
    this.#tables.agents.get(source.agentId)?.addLogSource(source);
  }

  async logSources(agentId: string): Promise<readonly LogSourceRecord[]> {
    const { logSources = [] } = this.#tables.agents.get(agentId)?.rows ?? {};
    return [...logSources].sort((a, b) => a.createdAtUs - b.createdAtUs);
  }

  async insertLogs(
    agentId: string,
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
  ): Promise<LogsInserted> {
    const agent = this.#tables.agents.get(agentId);
    const nextId = () => ++this.#lastLogId;
    if (agent === undefined) return { kind: "stored", firstId: nextId(), wereFirst: false };
    return agent.addLogs(logSourceId, createdAtUs, logs, nextId);
  }

  async logs(agentId: string, after: number, limit: number): Promise<readonly LogRecord[]> {
    const { logs = [] } = this.#tables.agents.get(agentId) ?? {};
    const start = logs.findIndex(({ id }) => id > after);
    return start < 0 ? [] : logs.slice(start, start + limit);
  }

  async insertScriptTiming(timing: ScriptTimingRecord): Promise<void> {
    const { scriptId, startedAtUs } = timing;
    const agent = this.#tables.find((one) => one.rows.scripts.some(({ id }) => id === scriptId));
    if (agent === undefined) throw new StoreConflict(`there is no script ${scriptId}`);
    if (agent.timings.latest().some((run) => run.scriptId === scriptId && run.startedAtUs === startedAtUs)) {
      throw new StoreConflict("this run of the script is there already");
    }
    agent.timings.add(timing);
  }

  async scriptTimings(agentId: string): Promise<readonly ScriptTimingRecord[]> {
    return [...(this.#tables.agents.get(agentId)?.timings.latest() ?? [])].sort(
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
    const sessions = this.#tables.agents.get(session.agentId)?.boundarySessions;
    if (sessions !== undefined && !sessions.has(session.id)) sessions.set(session.id, session);
  }

  async insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void> {
    if (records.some(({ sequence }) => sequence < 0))
      throw new StoreConflict("a sequence number is negative");
    for (const record of records) this.#tables.agents.get(record.agentId)?.boundaryLogs.add(record);
  }

  async replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean> {
    const agent = this.#tables.agents.get(snapshot.agentId);
    if (agent === undefined) return false;
    const stored = agent.context;
    if (stored !== undefined && !isInitial && snapshot.version <= stored.version) return false;
    agent.context = snapshot;
    return true;
  }

  async context(agentId: string): Promise<ContextSnapshotRecord | undefined> {
    return this.#tables.agents.get(agentId)?.context;
  }

  async insertTelemetry(records: readonly TelemetryRecord[]): Promise<void> {
    // nobody could ask for those of no agent before they are gone with the process
    for (const record of records) this.#tables.agents.get(record.agentId ?? "")?.telemetry.add(record);
  }

  // ---- sub-agents ----

  async insertSubAgent(agent: AgentRecord): Promise<void> {
    const { buildId, name } = agent;
    if (this.#tables.agentsWhere((other) => other.buildId === buildId && other.name === name).length > 0) {
      throw new StoreConflict(`workspace agent name "${name}" already exists in this workspace build`);
    }
    const nothing = { apps: [], scripts: [], metadata: [], devcontainers: [], logSources: [] };
    this.#tables.putAgent({ agent, ...nothing, monitors: noMonitors });
  }

  async updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void> {
    const { displayApps, directory } = change;
    this.#tables.agents
      .get(id)
      ?.update(directory === undefined ? { displayApps } : { displayApps, directory });
  }

  async insertApp(app: AppRecord): Promise<void> {
    const agent = this.#tables.agents.get(app.agentId);
    if (agent === undefined) return;
    if (agent.rows.apps.some(({ slug }) => slug === app.slug)) {
      throw new StoreConflict(`the agent has an app "${app.slug}" already`);
    }
    agent.rows = { ...agent.rows, apps: [...agent.rows.apps, app] };
  }

  async subAgents(parentId: string): Promise<readonly AgentRecord[]> {
    return this.#tables.agentsWhere((agent) => agent.parentId === parentId);
  }

  async deleteAgent(id: string): Promise<void> {
    this.#tables.deleteAgent(id);
  }

  // ---- what servers sign with ----

  signingKeys(purpose: string): Promise<readonly SigningKeyRecord[]> {
    return this.#signingKeys.signingKeys(purpose);
  }

  insertSigningKey(key: SigningKeyRecord): Promise<void> {
    return this.#signingKeys.insertSigningKey(key);
  }

  deleteSigningKeys(purpose: string, expiredAtUs: number): Promise<void> {
    return this.#signingKeys.deleteSigningKeys(purpose, expiredAtUs);
  }

  // ---- what there is ----

  async define(definitions: readonly WorkspaceDefinition[]): Promise<DefinedAgent[]> {
    checkDefinitions(definitions);
    const nowUs = Date.now() * 1000;
    const ownerIds = new Map<string, string>();
    const ownerIdOf = (username: string) => {
      const known = this.#tables.ownerId(username) ?? ownerIds.get(username) ?? crypto.randomUUID();
      ownerIds.set(username, known);
      return known;
    };
    const plans = definitions.map((definition) => {
      const current = this.#tables.rowsNamed(definition);
      return definedRows(current, definition, { ownerId: ownerIdOf(definition.owner), nowUs });
    });
    this.#tables.checkTokens(plans);
    for (const rows of plans) this.#tables.putWorkspace(rows);
    return plans.flatMap(({ workspace, agents }) =>
      agents.map(({ agent }) => ({
        workspace: workspace.name,
        owner: workspace.ownerUsername,
        ownerId: workspace.ownerId,
        agent: agent.name,
        id: agent.id,
        token: agent.authToken,
      })),
    );
  }

  async workspaces(): Promise<readonly WorkspaceRecord[]> {
    const all = [...this.#tables.workspaces.values()].map(({ workspace }) => workspace);
    return byText(all, ({ ownerUsername, name }) => `${ownerUsername}\n${name}`);
  }

  async agents(workspaceId: string): Promise<readonly AgentRecord[]> {
    return this.#tables
      .agentsWhere((agent) => agent.workspaceId === workspaceId)
      .sort((a, b) => a.createdAtUs - b.createdAtUs);
  }

  async deleteWorkspace(id: string): Promise<void> {
    this.#tables.workspaces.delete(id);
    for (const agent of await this.agents(id)) this.#tables.deleteAgent(agent.id);
  }

  async newBuild(workspaceId: string, { transition, job, initiatorId }: NewBuild): Promise<BuildRecord> {
    const { workspace } = this.#tables.existing(workspaceId);
    return this.#tables.addBuild(workspaceId, {
      transition,
      job: job ?? { status: "succeeded", error: "" },
      initiatorId: initiatorId ?? workspace.ownerId,
      isClaim: false,
    });
  }

  async claim(workspaceId: string, owner: string, name: string): Promise<BuildRecord> {
    const { workspace } = this.#tables.existing(workspaceId);
    if (workspace.ownerId !== prebuildsOwnerId)
      throw new StoreConflict("the workspace belongs to somebody already");
    if (this.#tables.named(owner, name) !== undefined)
      throw new StoreConflict(`${owner} has a workspace "${name}" already`);
    const ownerId = this.#tables.ownerId(owner) ?? crypto.randomUUID();
    this.#tables.updateWorkspace(workspaceId, { ownerId, ownerUsername: owner, name });
    return this.#tables.addBuild(workspaceId, {
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
    const ownerId = this.#tables.ownerId(owner);
    if (ownerId === undefined) throw new StoreConflict(`${owner} has no workspace`);
    const secrets = this.#secrets.get(ownerId) ?? new Map<string, SecretRecord>();
    if (secret === undefined) secrets.delete(name);
    else secrets.set(name, { name, ...secret });
    this.#secrets.set(ownerId, secrets);
  }

  async reports(agentId: string, limit: number): Promise<AgentReports> {
    const agent = this.#tables.agents.get(agentId);
    return {
      stats: agent?.stats.latest(limit) ?? [],
      resourceSamples: agent?.samples.latest(limit) ?? [],
      boundaryLogs: agent?.boundaryLogs.latest(limit) ?? [],
      telemetry: agent?.telemetry.latest(limit) ?? [],
    };
  }

  async close(): Promise<void> {}

  /** Whose statuses are asked for. */
  #agentsOf(of: { workspaceId: string } | { agentId: string } | { appId: string }): MemoryAgent[] {
    if ("workspaceId" in of) {
      return [...this.#tables.agents.values()].filter(({ agent }) => agent.workspaceId === of.workspaceId);
    }
    const agent = "agentId" in of ? this.#tables.agents.get(of.agentId) : this.#tables.agentWithApp(of.appId);
    return agent === undefined ? [] : [agent];
  }
}
