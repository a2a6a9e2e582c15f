import type { AgentReports, ControlPlaneStore, NewBuild } from "../control-plane-store.js";
import type { DefinedAgent, WorkspaceDefinition } from "../definition.js";
import type {
  AgentRecord,
  AppHealth,
  AppRecord,
  AppStatusRecord,
  BoundaryLogRecord,
  BoundarySessionRecord,
  BuildRecord,
  ConnectionLogRecord,
  ConnectionReport,
  ContextSnapshotRecord,
  LifecycleState,
  LogRecord,
  LogSourceRecord,
  ResourceMonitors,
  ResourceSample,
  ScriptTimingRecord,
  SecretRecord,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "../records.js";
import type { SigningKeyRecord } from "../signing-keys.js";
import {
  type ConnectionLogFilter,
  type ConnectionUpdate,
  type LogsInserted,
  type ManifestRecords,
  type MetadataUpdate,
  type NewLog,
  type OwnedWorkspace,
  StoreConflict,
} from "../store.js";
import * as ofAgents from "./agent-queries.js";
import * as ofApps from "./app-queries.js";
import * as control from "./control-queries.js";
import { Database } from "./database.js";
import type { Engine } from "./engine.js";
import * as ofLogs from "./log-queries.js";
import { migrate } from "./migrations/index.js";
import * as ofOwners from "./owner-queries.js";
import * as ofReports from "./report-queries.js";
import { forgetOldEntries, type Retention, usualRetention } from "./retention.js";
import * as ofSigningKeys from "./signing-key-queries.js";
import { boundaryLogColumns, sampleColumns, statsColumns, telemetryColumns } from "./tables.js";

/**
 * A store in a database. It keeps nothing in the process, so that several servers can have the same database. What
 * has grown old is removed when it opens, and every hour.
 */
export class SqlStore implements ControlPlaneStore {
  readonly #database: Database;
  readonly #retention: Retention;
  readonly #timer: NodeJS.Timeout;

  /** @throws Error when the database cannot be reached, or is of a newer version. */
  static async open(engine: Engine, retention: Partial<Retention> = {}): Promise<SqlStore> {
    const database = new Database(engine);
    try {
      await migrate(database);
      return new SqlStore(database, { ...usualRetention, ...retention });
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  private constructor(database: Database, retention: Retention) {
    this.#database = database;
    this.#retention = retention;
    // what fails now is done the next time
    const forget = () => void this.forgetOldEntries().catch(() => {});
    this.#timer = setInterval(forget, retention.intervalMs);
    this.#timer.unref();
    // nobody has to wait for it
    forget();
  }

  /** Removes what the store keeps no more; it does so itself from time to time. */
  async forgetOldEntries(): Promise<void> {
    await forgetOldEntries(this.#database, this.#retention);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#database.close();
  }

  // ---- who is it ----

  async agentByToken(token: string): Promise<AgentRecord | undefined> {
    const [agent] = await this.#database.run("read an agent", (db) =>
      ofAgents.connectableAgents(db, "authToken", token),
    );
    return agent;
  }

  async agent(id: string): Promise<AgentRecord | undefined> {
    const [agent] = await this.#database.run("read an agent", (db) => ofAgents.agentsWith(db, "id", id));
    return agent;
  }

  async agentsByInstanceId(instanceId: string): Promise<readonly AgentRecord[]> {
    const agents = await this.#database.run("read agents", (db) =>
      ofAgents.connectableAgents(db, "instanceId", instanceId),
    );
    return agents.filter(({ parentId }) => parentId === undefined);
  }

  workspace(id: string): Promise<WorkspaceRecord | undefined> {
    return this.#database.run("read a workspace", (db) => ofAgents.workspaceById(db, id));
  }

  builds(workspaceId: string): Promise<{ first: BuildRecord; latest: BuildRecord } | undefined> {
    return this.#database.run("read builds", (db) => ofAgents.firstAndLatestBuild(db, workspaceId));
  }

  /** The ids of the latest builds of workspaces, by workspace; one that is not there is not in it. S2.8. */
  latestBuildIds(workspaceIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#database.run("read builds", (db) => ofAgents.latestBuildIdsOf(db, workspaceIds));
  }

  /** The agents of a build itself, not those that agents made. S3.38. */
  async buildAgents(buildId: string): Promise<readonly AgentRecord[]> {
    const agents = await this.#database.run("read agents", (db) =>
      ofAgents.agentsWith(db, "buildId", buildId),
    );
    return agents.filter(({ parentId }) => parentId === undefined);
  }

  ownedWorkspaces(ownerId: string): Promise<readonly OwnedWorkspace[]> {
    return this.#database.run("read workspaces", (db) => ofOwners.ownedWorkspacesOf(db, ownerId));
  }

  // ---- what it is told ----

  manifestRecords(agentId: string): Promise<ManifestRecords> {
    return this.#database.run("read a manifest", (db) => ofAgents.manifestRecordsOf(db, agentId));
  }

  secrets(ownerId: string): Promise<readonly SecretRecord[]> {
    return this.#database.run("read secrets", (db) => ofAgents.secretsOf(db, ownerId));
  }

  resourceMonitors(agentId: string): Promise<ResourceMonitors> {
    return this.#database.run("read resource monitors", (db) => ofAgents.monitorsOf(db, agentId));
  }

  // ---- what it reports of itself ----

  async updateConnections(updates: readonly ConnectionUpdate[]): Promise<void> {
    if (updates.length === 0) return;
    await this.#database.transaction("store connection times", (db) =>
      ofAgents.updateConnections(this.#database, db, updates),
    );
  }

  updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void> {
    return this.#database.run("store a lifecycle", (db) => ofAgents.updateLifecycle(db, agentId, change));
  }

  updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void> {
    return this.#database.run("store a start-up", (db) => ofAgents.updateStartup(db, agentId, startup));
  }

  async updateMetadata(updates: readonly MetadataUpdate[]): Promise<void> {
    if (updates.length === 0) return;
    await this.#database.transaction("store metadata", (db) =>
      ofAgents.updateMetadata(this.#database, db, updates),
    );
  }

  insertStats(stats: readonly StatsRecord[]): Promise<void> {
    const rows = stats.map((record) => statsColumns.toRow(record));
    return ofReports.insertReports(this.#database, "stats", rows);
  }

  updateResourceMonitors(agentId: string, monitors: ResourceMonitors): Promise<void> {
    return this.#database.run("store resource monitors", (db) =>
      ofAgents.updateMonitors(db, agentId, monitors),
    );
  }

  insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void> {
    const rows = samples.map((sample) => sampleColumns.toRow({ ...sample, agentId }));
    return ofReports.insertReports(this.#database, "resourceSamples", rows);
  }

  markUsed(workspaceIds: readonly string[], atUs: number): Promise<void> {
    return this.#database.transaction("store the use of workspaces", (db) =>
      ofAgents.markUsed(db, workspaceIds, atUs),
    );
  }

  // ---- apps ----

  apps(agentId: string): Promise<readonly AppRecord[]> {
    return this.#database.run("read apps", (db) => ofApps.appsOf(db, agentId));
  }

  updateAppHealth(appId: string, health: AppHealth): Promise<void> {
    return this.#database.run("store an app's health", (db) => ofApps.updateAppHealth(db, appId, health));
  }

  insertAppStatus(status: AppStatusRecord): Promise<void> {
    return ofApps.insertAppStatus(this.#database, status);
  }

  appStatuses(
    of: { workspaceId: string } | { agentId: string } | { appId: string },
    limit: number,
  ): Promise<readonly AppStatusRecord[]> {
    return this.#database.run("read statuses", (db) => ofApps.appStatusesOf(db, of, limit));
  }

  // ---- logs and scripts ----

  insertLogSource(source: LogSourceRecord): Promise<void> {
    return ofLogs.insertLogSource(this.#database, source);
  }

  logSources(agentId: string): Promise<readonly LogSourceRecord[]> {
    return this.#database.run("read log sources", (db) => ofLogs.logSourcesOf(db, agentId));
  }

  insertLogs(
    agentId: string,
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
  ): Promise<LogsInserted> {
    return this.#database.transaction("store log lines", (db) =>
      ofLogs.insertLogs(db, agentId, logSourceId, createdAtUs, logs),
    );
  }

  logs(agentId: string, after: number, limit: number): Promise<readonly LogRecord[]> {
    return this.#database.run("read log lines", (db) => ofLogs.logsOf(db, agentId, after, limit));
  }

  insertScriptTiming(timing: ScriptTimingRecord): Promise<void> {
    return ofLogs.insertScriptTiming(this.#database, timing);
  }

  scriptTimings(agentId: string): Promise<readonly ScriptTimingRecord[]> {
    const { keptEntries } = this.#retention;
    return this.#database.run("read runs of scripts", (db) => ofLogs.timingsOf(db, agentId, keptEntries));
  }

  // ---- what happens around it ----

  async insertConnectionReports(reports: readonly ConnectionReport[]): Promise<void> {
    if (reports.length === 0) return;
    await this.#database.transaction(
      "store connection reports",
      (db) => ofReports.insertConnectionReports(db, reports),
      "connections",
    );
  }

  connectionLog(filter: ConnectionLogFilter): Promise<readonly ConnectionLogRecord[]> {
    return this.#database.run("read connections", (db) => ofReports.connectionLogOf(db, filter));
  }

  insertBoundarySession(session: BoundarySessionRecord): Promise<void> {
    return ofReports.insertBoundarySession(this.#database, session);
  }

  async insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void> {
    if (records.some(({ sequence }) => sequence < 0))
      throw new StoreConflict("a sequence number is negative");
    const rows = records.map((record) => boundaryLogColumns.toRow(record));
    await ofReports.insertReports(this.#database, "boundaryLogs", rows);
  }

  replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean> {
    return ofReports.replaceContext(this.#database, snapshot, isInitial);
  }

  context(agentId: string): Promise<ContextSnapshotRecord | undefined> {
    return this.#database.run("read a context", (db) => ofReports.contextOf(db, agentId));
  }

  insertTelemetry(records: readonly TelemetryRecord[]): Promise<void> {
    const rows = records.map((record) => telemetryColumns.toRow(record));
    return ofReports.insertReports(this.#database, "telemetry", rows);
  }

  // ---- sub-agents ----

  insertSubAgent(agent: AgentRecord): Promise<void> {
    return ofApps.insertSubAgent(this.#database, agent);
  }

  updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void> {
    return this.#database.run("store a sub-agent", (db) => ofApps.updateSubAgent(db, id, change));
  }

  insertApp(app: AppRecord): Promise<void> {
    return ofApps.insertApp(this.#database, app);
  }

  subAgents(parentId: string): Promise<readonly AgentRecord[]> {
    return this.#database.run("read sub-agents", (db) => ofAgents.agentsWith(db, "parentId", parentId));
  }

  deleteAgent(id: string): Promise<void> {
    return this.#database.transaction("delete an agent", (db) =>
      ofApps.deleteAgents(this.#database, db, [id]),
    );
  }

  // ---- what servers sign with ----

  signingKeys(purpose: string): Promise<readonly SigningKeyRecord[]> {
    return this.#database.run("read signing keys", (db) => ofSigningKeys.signingKeysOf(db, purpose));
  }

  insertSigningKey(key: SigningKeyRecord): Promise<void> {
    return this.#database.run("store a signing key", (db) => ofSigningKeys.insertSigningKey(db, key));
  }

  deleteSigningKeys(purpose: string, expiredAtUs: number): Promise<void> {
    return this.#database.run("delete signing keys", (db) =>
      ofSigningKeys.deleteSigningKeys(db, purpose, expiredAtUs),
    );
  }

  // ---- what there is ----

  define(definitions: readonly WorkspaceDefinition[]): Promise<DefinedAgent[]> {
    return control.define(this.#database, definitions);
  }

  workspaces(): Promise<readonly WorkspaceRecord[]> {
    return this.#database.run("read workspaces", control.allWorkspaces);
  }

  agents(workspaceId: string): Promise<readonly AgentRecord[]> {
    return this.#database.run("read agents", (db) => ofAgents.agentsWith(db, "workspaceId", workspaceId));
  }

  deleteWorkspace(id: string): Promise<void> {
    return control.deleteWorkspace(this.#database, id);
  }

  newBuild(workspaceId: string, build: NewBuild): Promise<BuildRecord> {
    return control.newBuild(this.#database, workspaceId, build);
  }

  claim(workspaceId: string, owner: string, name: string): Promise<BuildRecord> {
    return control.claim(this.#database, workspaceId, owner, name);
  }

  setSecret(owner: string, name: string, secret: Omit<SecretRecord, "name"> | undefined): Promise<void> {
    return control.setSecret(this.#database, owner, name, secret);
  }

  reports(agentId: string, limit: number): Promise<AgentReports> {
    const count = Math.min(limit, this.#retention.keptEntries);
    return this.#database.run("read reports", (db) => ofReports.reportsOf(db, agentId, count));
  }
}
