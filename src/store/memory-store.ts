import { applyDefinition } from "./apply-definition.js";
import { checkDefinitions } from "./check-definition.js";
import type { DefinedAgent, WorkspaceDefinition } from "./definition.js";
import { History, metadataId, Table } from "./memory-tables.js";
import type {
  AgentRecord,
  AppHealth,
  AppRecord,
  AppStatusRecord,
  BoundaryLogRecord,
  ConnectionLogRecord,
  ConnectionTimes,
  ContextSnapshotRecord,
  DevcontainerRecord,
  LifecycleState,
  LogRecord,
  LogSourceRecord,
  MetadataRecord,
  ResourceMonitors,
  ResourceSample,
  ScriptRecord,
  ScriptTimingRecord,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "./records.js";
import {
  type AgentStore,
  type LogsInserted,
  type ManifestRecords,
  type MetadataUpdate,
  maxLogOutputCharacters,
  maxLogsLength,
  type NewLog,
  StoreConflict,
} from "./store.js";

/** Of histories that have no limit of their own (statuses, stats, connections …) so many are kept for each agent. */
const historyEntries = 1000;

const noMonitors: ResourceMonitors = { memory: undefined, volumes: [] };

/** A store in memory, empty at first; gone with the process. */
export class MemoryStore implements AgentStore {
  /** @internal What definitions are applied to. */
  readonly tables = {
    workspaces: new Table<WorkspaceRecord>(),
    agents: new Table<AgentRecord>(),
    apps: new Table<AppRecord>(),
    scripts: new Table<ScriptRecord>(),
    devcontainers: new Table<DevcontainerRecord>(),
    metadata: new Table<MetadataRecord & { id: string }>(),
    logSources: new Table<LogSourceRecord>(),
    monitors: new Map<string, ResourceMonitors>(),
  };

  readonly #agentIdByToken = new Map<string, string>();
  readonly #statuses = new History<AppStatusRecord>(historyEntries);
  readonly #logs = new Map<string, LogRecord[]>();
  /** By script. */
  readonly #timings = new History<ScriptTimingRecord>(historyEntries);
  readonly #stats = new History<StatsRecord>(historyEntries);
  readonly #samples = new History<ResourceSample>(historyEntries);
  readonly #connections = new History<ConnectionLogRecord>(historyEntries);
  readonly #boundary = new History<BoundaryLogRecord>(historyEntries);
  readonly #telemetry = new History<TelemetryRecord>(historyEntries);
  readonly #contexts = new Map<string, ContextSnapshotRecord>();
  #lastLogId = 0;

  /**
   * Declares workspaces: what is new is added, what has changed is updated, what is the same stays as it is. Agents
   * keep their ids and tokens.
   * @throws StoreConflict when two things have the same name, or two agents the same token.
   */
  define(definitions: readonly WorkspaceDefinition[]): DefinedAgent[] {
    checkDefinitions(definitions);
    return definitions.flatMap((definition) => applyDefinition(this, definition));
  }

  /** @internal */
  putAgent(agent: AgentRecord): void {
    const holder = this.#agentIdByToken.get(agent.authToken);
    if (holder !== undefined && holder !== agent.id) {
      throw new StoreConflict(`two agents have the same token: ${agent.name} is the second`);
    }
    const before = this.tables.agents.get(agent.id);
    if (before !== undefined) this.#agentIdByToken.delete(before.authToken);
    this.#agentIdByToken.set(agent.authToken, agent.id);
    this.tables.agents.put(agent);
  }

  // ---- who is it ----

  async agentByToken(token: string): Promise<AgentRecord | undefined> {
    const id = this.#agentIdByToken.get(token);
    return id === undefined ? undefined : this.tables.agents.get(id);
  }

  async agent(id: string): Promise<AgentRecord | undefined> {
    return this.tables.agents.get(id);
  }

  async workspace(id: string): Promise<WorkspaceRecord | undefined> {
    return this.tables.workspaces.get(id);
  }

  // ---- what it is told ----

  async manifestRecords(agentId: string): Promise<ManifestRecords> {
    const isOurs = (row: { agentId: string }) => row.agentId === agentId;
    return {
      apps: await this.apps(agentId),
      scripts: this.tables.scripts.filter(isOurs).sort(by(({ id }) => id)),
      metadata: this.tables.metadata.filter(isOurs),
      devcontainers: this.tables.devcontainers.filter(isOurs),
    };
  }

  async resourceMonitors(agentId: string): Promise<ResourceMonitors> {
    return this.tables.monitors.get(agentId) ?? noMonitors;
  }

  // ---- what it reports of itself ----

  async updateConnection(agentId: string, connection: ConnectionTimes): Promise<void> {
    this.tables.agents.update(agentId, { connection });
  }

  async updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void> {
    const { state, startedAtUs, readyAtUs } = change;
    this.tables.agents.update(agentId, { lifecycleState: state, startedAtUs, readyAtUs });
  }

  async updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void> {
    this.tables.agents.update(agentId, startup);
  }

  async updateMetadata(agentId: string, updates: readonly MetadataUpdate[]): Promise<void> {
    for (const { key, value, error, collectedAtUs } of updates) {
      this.tables.metadata.update(metadataId(agentId, key), { value, error, collectedAtUs });
    }
  }

  async insertStats(stats: StatsRecord): Promise<void> {
    this.#stats.add(stats.agentId, stats);
  }

  async insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void> {
    for (const sample of samples) this.#samples.add(agentId, sample);
  }

  // ---- apps ----

  async apps(agentId: string): Promise<readonly AppRecord[]> {
    return this.tables.apps.filter((app) => app.agentId === agentId).sort(by(({ slug }) => slug));
  }

  async updateAppHealth(appId: string, health: AppHealth): Promise<void> {
    this.tables.apps.update(appId, { health });
  }

  async insertAppStatus(status: AppStatusRecord): Promise<void> {
    this.#statuses.add(status.agentId, status);
  }

  async appStatuses(agentId: string, limit: number): Promise<readonly AppStatusRecord[]> {
    return this.#statuses.of(agentId).slice(-limit).reverse();
  }

  // ---- logs and scripts ----

  async insertLogSource(source: LogSourceRecord): Promise<void> {
    // the first registration of an id stays
    const isKnown = this.tables.logSources.find((s) => s.agentId === source.agentId && s.id === source.id);
    if (isKnown === undefined) this.tables.logSources.put(source);
  }

  async logSources(agentId: string): Promise<readonly LogSourceRecord[]> {
    return this.tables.logSources.filter((source) => source.agentId === agentId);
  }

  async insertLogs(
    agentId: string,
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
  ): Promise<LogsInserted> {
    const agent = this.tables.agents.get(agentId);
    const length = logs.reduce((sum, { output }) => sum + utf8Length(output), agent?.logsLength ?? 0);
    if (length > maxLogsLength) {
      this.tables.agents.update(agentId, { logsOverflowed: true });
      return { kind: "overflow" };
    }
    const stored = this.#logs.get(agentId) ?? [];
    const firstId = this.#lastLogId + 1;
    for (const { level, output } of logs) {
      const cut =
        output.length > maxLogOutputCharacters
          ? [...output].slice(0, maxLogOutputCharacters).join("")
          : output;
      stored.push({ id: ++this.#lastLogId, agentId, createdAtUs, level, output: cut, logSourceId });
    }
    this.#logs.set(agentId, stored);
    this.tables.agents.update(agentId, { logsLength: length });
    return { kind: "stored", firstId, wereFirst: agent?.logsLength === 0 };
  }

  async logs(agentId: string, after: number, limit: number): Promise<readonly LogRecord[]> {
    const all = this.#logs.get(agentId) ?? [];
    const start = all.findIndex(({ id }) => id > after);
    return start < 0 ? [] : all.slice(start, start + limit);
  }

  async insertScriptTiming(timing: ScriptTimingRecord): Promise<void> {
    if (this.tables.scripts.get(timing.scriptId) === undefined) {
      throw new StoreConflict(`there is no script ${timing.scriptId}`);
    }
    const runs = this.#timings.of(timing.scriptId);
    if (runs.some(({ startedAtUs }) => startedAtUs === timing.startedAtUs)) {
      throw new StoreConflict("this run of the script is there already");
    }
    this.#timings.add(timing.scriptId, timing);
  }

  // ---- what happens around it ----

  async insertConnectionLog(record: ConnectionLogRecord): Promise<void> {
    this.#connections.add(record.agentId, record);
  }

  async insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void> {
    for (const record of records) this.#boundary.add(record.agentId, record);
  }

  async replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean> {
    const stored = this.#contexts.get(snapshot.agentId);
    if (stored !== undefined && !isInitial && snapshot.version <= stored.version) return false;
    this.#contexts.set(snapshot.agentId, snapshot);
    return true;
  }

  async insertTelemetry(records: readonly TelemetryRecord[]): Promise<void> {
    for (const record of records) this.#telemetry.add(record.agentId, record);
  }

  // ---- sub-agents ----

  async insertSubAgent(agent: AgentRecord): Promise<void> {
    const { workspaceId, name } = agent;
    if (
      this.tables.agents.find((other) => other.workspaceId === workspaceId && other.name === name) !==
      undefined
    ) {
      throw new StoreConflict(`workspace agent name "${name}" already exists in this workspace build`);
    }
    this.putAgent(agent);
  }

  async updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void> {
    const { displayApps, directory } = change;
    this.tables.agents.update(id, directory === undefined ? { displayApps } : { displayApps, directory });
  }

  async insertApp(app: AppRecord): Promise<void> {
    const { agentId, slug } = app;
    if (this.tables.apps.find((other) => other.agentId === agentId && other.slug === slug) !== undefined) {
      throw new StoreConflict(`the agent has an app "${slug}" already`);
    }
    this.tables.apps.put(app);
  }

  async subAgents(parentId: string): Promise<readonly AgentRecord[]> {
    return this.tables.agents.filter((agent) => agent.parentId === parentId);
  }

  async deleteAgent(id: string): Promise<void> {
    const agent = this.tables.agents.get(id);
    if (agent === undefined) return;
    this.#agentIdByToken.delete(agent.authToken);
    this.tables.agents.delete(id);
    for (const app of this.tables.apps.filter(({ agentId }) => agentId === id))
      this.tables.apps.delete(app.id);
    for (const history of [this.#statuses, this.#stats, this.#samples, this.#connections, this.#boundary]) {
      history.delete(id);
    }
    this.#logs.delete(id);
    this.#contexts.delete(id);
    for (const child of await this.subAgents(id)) await this.deleteAgent(child.id);
  }

  // ---- to look at ----

  /** Everything that an agent has sent and that is kept, for whoever wants to see. */
  async reportsOf(agentId: string) {
    const scripts = this.tables.scripts.filter((script) => script.agentId === agentId);
    return {
      metadata: this.tables.metadata.filter((row) => row.agentId === agentId),
      appStatuses: this.#statuses.of(agentId),
      stats: this.#stats.of(agentId),
      resourceSamples: this.#samples.of(agentId),
      connections: this.#connections.of(agentId),
      boundaryLogs: this.#boundary.of(agentId),
      telemetry: this.#telemetry.of(agentId),
      scriptTimings: scripts.flatMap(({ id }) => this.#timings.of(id)),
      context: this.#contexts.get(agentId),
    };
  }
}

function by<T>(key: (row: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}

const encoder = new TextEncoder();

function utf8Length(text: string): number {
  return encoder.encode(text).length;
}
