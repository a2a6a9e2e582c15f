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
  agent(id: string): Promise<AgentRecord | undefined>;
  workspace(id: string): Promise<WorkspaceRecord | undefined>;

  // what it is told
  /** Apps by slug, scripts by id, metadata and devcontainers as declared. */
  manifestRecords(agentId: string): Promise<ManifestRecords>;
  resourceMonitors(agentId: string): Promise<ResourceMonitors>;

  // what it reports of itself
  updateConnection(agentId: string, times: ConnectionTimes): Promise<void>;
  updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void>;
  updateStartup(
    agentId: string,
    startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
  ): Promise<void>;
  /** Keys that the agent does not have are passed over. */
  updateMetadata(agentId: string, updates: readonly MetadataUpdate[]): Promise<void>;
  insertStats(stats: StatsRecord): Promise<void>;
  insertResourceSamples(agentId: string, samples: readonly ResourceSample[]): Promise<void>;

  // apps
  apps(agentId: string): Promise<readonly AppRecord[]>;
  updateAppHealth(appId: string, health: AppHealth): Promise<void>;
  insertAppStatus(status: AppStatusRecord): Promise<void>;
  /** The newest first. */
  appStatuses(agentId: string, limit: number): Promise<readonly AppStatusRecord[]>;

  // logs and scripts
  insertLogSource(source: LogSourceRecord): Promise<void>;
  logSources(agentId: string): Promise<readonly LogSourceRecord[]>;
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
  insertConnectionLog(record: ConnectionLogRecord): Promise<void>;
  insertBoundaryLogs(records: readonly BoundaryLogRecord[]): Promise<void>;
  /** @returns false, and stores nothing, unless the version is higher than the stored one or `isInitial`. */
  replaceContext(snapshot: ContextSnapshotRecord, isInitial: boolean): Promise<boolean>;
  insertTelemetry(records: readonly TelemetryRecord[]): Promise<void>;

  // sub-agents
  /** @throws StoreConflict when an agent of the workspace has the name. */
  insertSubAgent(agent: AgentRecord): Promise<void>;
  updateSubAgent(
    id: string,
    change: { displayApps: readonly string[]; directory: string | undefined },
  ): Promise<void>;
  /** @throws StoreConflict when the slug is taken. */
  insertApp(app: AppRecord): Promise<void>;
  subAgents(parentId: string): Promise<readonly AgentRecord[]>;
  /** Its token is worth nothing from then on. */
  deleteAgent(id: string): Promise<void>;
}
