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
  ConnectionTimes,
  ConnectionType,
  ContextSnapshotRecord,
  DevcontainerRecord,
  LifecycleState,
  LogLevel,
  LogRecord,
  LogSourceRecord,
  MetadataRecord,
  ResourceMonitors,
  ResourceSample,
  ScriptRecord,
  ScriptTimingRecord,
  SecretRecord,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "./records.js";

/** An agent's logs may have so many bytes in sum. S3.81. */
export const maxLogsLength = 1_048_576;

/** Longer lines are cut in the store. S3.80. */
export const maxLogOutputCharacters = 1024;

/** A write that breaks a rule of the store. The message is for the one who asked. */
export class StoreConflict extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StoreConflict";
  }
}

/** A line to store. */
export interface NewLog {
  level: LogLevel;
  output: string;
}

/** What became of a batch of lines. */
export type LogsInserted =
  /** All are stored; `firstId` is the lowest of them, `wereFirst` that the agent had none before. */
  | { kind: "stored"; firstId: number; wereFirst: boolean }
  /** None is: the agent's limit would be passed. It is marked as overflowed. */
  | { kind: "overflow" };

/** A value of a metadata key. */
export interface MetadataUpdate {
  agentId: string;
  key: string;
  value: string;
  error: string;
  collectedAtUs: number;
}

/** When an agent was seen. */
export interface ConnectionUpdate extends ConnectionTimes {
  agentId: string;
}

/** What an agent gets as its manifest, besides itself and its workspace. */
export interface ManifestRecords {
  /** By slug. */
  apps: readonly AppRecord[];
  /** By id. */
  scripts: readonly ScriptRecord[];
  /** By display order, then key. */
  metadata: readonly MetadataRecord[];
  /** As they were declared. */
  devcontainers: readonly DevcontainerRecord[];
}

/** A workspace with what its latest build made. */
export interface OwnedWorkspace {
  workspace: WorkspaceRecord;
  latestBuild: BuildRecord;
  /** Those of the latest build, with those that agents made, oldest first. */
  agents: readonly AgentRecord[];
}

/** Which connections to read. */
export interface ConnectionLogFilter {
  workspaceId?: string | undefined;
  agentId?: string | undefined;
  type?: ConnectionType | undefined;
  /** Those that began at that time or later. */
  sinceUs?: number | undefined;
  /** Those that began before. */
  untilUs?: number | undefined;
  isOpen?: boolean | undefined;
  /** Skips so many. */
  offset?: number | undefined;
  limit: number;
}

/**
 * Where the handlers keep things. Reads give what is there now; what they give must not be changed. Writes are
 * durable when they resolve, and do nothing to things that are gone, unless they say otherwise. Deleted agents, and
 * agents of deleted workspaces, are not there.
 */
export interface AgentStore {
  // ---- who is it ----

  /** The agent with a token; none while its workspace is stopped. S1.9. */
  agentByToken(token: string): Promise<AgentRecord | undefined>;
  /** An agent by its id. */
  agent(id: string): Promise<AgentRecord | undefined>;
  /** The agents of workspaces themselves, not those that agents made, with what the cloud calls their machine; none while their workspace is stopped. S5.41. */
  agentsByInstanceId(instanceId: string): Promise<readonly AgentRecord[]>;
  /** A workspace by its id. */
  workspace(id: string): Promise<WorkspaceRecord | undefined>;
  /** The first and the latest build of a workspace; undefined for a workspace that is not there. S2.8, S5.29. */
  builds(workspaceId: string): Promise<{ first: BuildRecord; latest: BuildRecord } | undefined>;

  /** The ids of the latest builds of workspaces, by workspace; one that is not there is not in it. S2.8. */
  latestBuildIds(workspaceIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** The agents of a build itself, not those that agents made. S3.38. */
  buildAgents(buildId: string): Promise<readonly AgentRecord[]>;
  /** The workspaces of a user, by name, each with its latest build and the agents of that. S4.33. */
  ownedWorkspaces(ownerId: string): Promise<readonly OwnedWorkspace[]>;

  // ---- what it is told ----

  /** What its manifest has. */
  manifestRecords(agentId: string): Promise<ManifestRecords>;
  /** A user's secrets, by name. */
  secrets(ownerId: string): Promise<readonly SecretRecord[]>;
  /** What of its machine the agent is to watch. */
  resourceMonitors(agentId: string): Promise<ResourceMonitors>;

  // ---- what it reports of itself ----

  /** When agents were seen. S2.4–S2.10. */
  updateConnections(updates: readonly ConnectionUpdate[]): Promise<void>;
  /** Where it is in its life; times that are undefined are cleared. S3.37. */
  updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void>;
  /** What it said of itself when it started. S3.39. */
  updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void>;
  /** Values of metadata, of any agents. Keys that an agent does not have are passed over. */
  updateMetadata(updates: readonly MetadataUpdate[]): Promise<void>;
  /** Reports of network traffic, of any agents. */
  insertStats(stats: readonly StatsRecord[]): Promise<void>;
  /** State and debounce of the monitors that are given; others stay, and so does what was declared. S3.72. */
  updateResourceMonitors(agentId: string, monitors: ResourceMonitors): Promise<void>;
  /** What it measured of memory and volumes. */
  insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void>;
  /** Workspaces that somebody has used. S3.31. */
  markUsed(workspaceIds: readonly string[], atUs: number): Promise<void>;

  // ---- apps ----

  /** The agent's apps, by slug. */
  apps(agentId: string): Promise<readonly AppRecord[]>;
  /** What an app's health check says. */
  updateAppHealth(appId: string, health: AppHealth): Promise<void>;
  /** What an app said of itself. */
  insertAppStatus(status: AppStatusRecord): Promise<void>;
  /** Statuses of a workspace, of one of its agents, or of one app: the newest first, of equally old ones the larger id. */
  appStatuses(
    of: { workspaceId: string } | { agentId: string } | { appId: string },
    limit: number,
  ): Promise<readonly AppStatusRecord[]>;

  // ---- logs and scripts ----

  /** A source that is there already stays as it is. */
  insertLogSource(source: LogSourceRecord): Promise<void>;
  /** The agent's log sources, oldest first. */
  logSources(agentId: string): Promise<readonly LogSourceRecord[]>;
  /**
   * All lines of a batch, or none. Longer lines are cut to {@link maxLogOutputCharacters}; the lengths before count
   * towards {@link maxLogsLength}. Ids grow from batch to batch of an agent, and are visible in that order. S3.80, S3.81.
   */
  insertLogs(
    agentId: string,
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
  ): Promise<LogsInserted>;
  /** Lines with a higher id than `after`, oldest first. */
  logs(agentId: string, after: number, limit: number): Promise<readonly LogRecord[]>;
  /** @throws StoreConflict when the script is not known, or this run of it is there already. S3.86. */
  insertScriptTiming(timing: ScriptTimingRecord): Promise<void>;
  /** Runs of the agent's scripts, oldest first. */
  scriptTimings(agentId: string): Promise<readonly ScriptTimingRecord[]>;

  // ---- what happens around it ----

  /** Somebody connected, or left. Reports of the same connection to the same agent are merged. S3.90. */
  insertConnectionReports(reports: readonly ConnectionReport[]): Promise<void>;
  /** Connections, the newest first. */
  connectionLog(filter: ConnectionLogFilter): Promise<readonly ConnectionLogRecord[]>;
  /** A session that is there already stays as it is. S3.105. */
  insertBoundarySession(session: BoundarySessionRecord): Promise<void>;
  /** What the agent's boundary let pass or refused. */
  insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void>;
  /** @returns false, and stores nothing, unless the version is higher than the stored one or `isInitial`. S3.111. */
  replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean>;
  /** The latest context. */
  context(agentId: string): Promise<ContextSnapshotRecord | undefined>;
  /** Events of network clients; those of an agent that is not there are passed over, those of none are not. */
  insertTelemetry(records: readonly TelemetryRecord[]): Promise<void>;

  // ---- sub-agents ----

  /** @throws StoreConflict when an agent of the build has the name. S3.94. */
  insertSubAgent(agent: AgentRecord): Promise<void>;
  /** What a later declaration of the same sub-agent changes. S3.93. */
  updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void>;
  /** @throws StoreConflict when the slug is taken. */
  insertApp(app: AppRecord): Promise<void>;
  /** The agents that an agent made. */
  subAgents(parentId: string): Promise<readonly AgentRecord[]>;
  /** Its token is worth nothing from then on, its context goes, and so do the agents that it made. S3.100. */
  deleteAgent(id: string): Promise<void>;
}
