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
  LogLevel,
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
  key: string;
  value: string;
  error: string;
  collectedAtUs: number;
}

/** What an agent gets as its manifest, besides itself and its workspace. */
export interface ManifestRecords {
  apps: readonly AppRecord[];
  scripts: readonly ScriptRecord[];
  metadata: readonly MetadataRecord[];
  devcontainers: readonly DevcontainerRecord[];
}

/**
 * Where the handlers keep things. Reads give what is there now; what they give must not be changed. Writes to things
 * that are gone do nothing, unless they say otherwise.
 */
export interface AgentStore {
  // who is it
  /** The agent with a token, unless it or its workspace is deleted. */
  agentByToken(token: string): Promise<AgentRecord | undefined>;
  /** An agent by its id; undefined for one that is deleted. */
  agent(id: string): Promise<AgentRecord | undefined>;
  /** A workspace by its id. */
  workspace(id: string): Promise<WorkspaceRecord | undefined>;

  // what it is told
  /** Apps by slug, scripts by id, metadata and devcontainers as declared. */
  manifestRecords(agentId: string): Promise<ManifestRecords>;
  /** What of its machine the agent is to watch. */
  resourceMonitors(agentId: string): Promise<ResourceMonitors>;

  // what it reports of itself
  /** When it was seen. S2.4–S2.10. */
  updateConnection(agentId: string, times: ConnectionTimes): Promise<void>;
  /** Where it is in its life; times that are undefined are cleared. S3.36. */
  updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void>;
  /** What it said of itself when it started. S3.40. */
  updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void>;
  /** Keys that the agent does not have are passed over. */
  updateMetadata(agentId: string, updates: readonly MetadataUpdate[]): Promise<void>;
  /** A report of its network traffic. */
  insertStats(stats: StatsRecord): Promise<void>;
  /** What it measured of memory and volumes. */
  insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void>;

  // apps
  /** The agent's apps, by slug. */
  apps(agentId: string): Promise<readonly AppRecord[]>;
  /** What an app's health check says. */
  updateAppHealth(appId: string, health: AppHealth): Promise<void>;
  /** What an app said of itself. */
  insertAppStatus(status: AppStatusRecord): Promise<void>;
  /** The newest first. */
  appStatuses(agentId: string, limit: number): Promise<readonly AppStatusRecord[]>;

  // logs and scripts
  /** A source that is there already stays as it is. */
  insertLogSource(source: LogSourceRecord): Promise<void>;
  /** The agent's log sources, oldest first. */
  logSources(agentId: string): Promise<readonly LogSourceRecord[]>;
  /** All lines of a batch, or none. */
  insertLogs(
    agentId: string,
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
  ): Promise<LogsInserted>;
  /** Lines with a higher id than `after`, oldest first. */
  logs(agentId: string, after: number, limit: number): Promise<readonly LogRecord[]>;
  /** @throws StoreConflict when the script is not known, or this run of it is there already. */
  insertScriptTiming(timing: ScriptTimingRecord): Promise<void>;

  // what happens around it
  /** Somebody connected, or left. */
  insertConnectionLog(record: ConnectionLogRecord): Promise<void>;
  /** What the agent's boundary let pass or refused. */
  insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void>;
  /** @returns false, and stores nothing, unless the version is higher than the stored one or `isInitial`. */
  replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean>;
  /** Events of network clients. */
  insertTelemetry(records: readonly TelemetryRecord[]): Promise<void>;

  // sub-agents
  /** @throws StoreConflict when an agent of the workspace has the name. */
  insertSubAgent(agent: AgentRecord): Promise<void>;
  /** What a later declaration of the same sub-agent changes. S3.93. */
  updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void>;
  /** @throws StoreConflict when the slug is taken. */
  insertApp(app: AppRecord): Promise<void>;
  /** The agents that an agent made, without the deleted ones. */
  subAgents(parentId: string): Promise<readonly AgentRecord[]>;
  /** Its token is worth nothing from then on. */
  deleteAgent(id: string): Promise<void>;
}
