/*
 * What a control plane keeps, in the words of the API. Ids are UUIDs as text, lower-case. Times are microseconds
 * since 1970, UTC; they end in `Us`.
 */

/** Where an agent is in its life, as stored. S3.35. */
export const lifecycleStates = [
  "created",
  "starting",
  "start_timeout",
  "start_error",
  "ready",
  "shutting_down",
  "shutdown_timeout",
  "shutdown_error",
  "off",
] as const;
/** One of {@link lifecycleStates}. */
export type LifecycleState = (typeof lifecycleStates)[number];

/** What an app's health check says; `disabled` where there is none. */
export type AppHealth = "disabled" | "initializing" | "healthy" | "unhealthy";
/** What an app says of itself in a status. */
export type AppState = "working" | "idle" | "complete" | "failure";
/** How grave a line of a log is. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";
/** Who may open an app, besides its owner. */
export type SharingLevel = "owner" | "authenticated" | "public" | "organization";

/** Whose workspaces wait to be claimed. S3.4. */
export const prebuildsOwnerId = "c42fdf75-3097-471c-8c33-fb52454d81c0";

/** A workspace. */
export interface WorkspaceRecord {
  id: string;
  name: string;
  /** {@link prebuildsOwnerId} while nobody has claimed it. */
  ownerId: string;
  ownerUsername: string;
  /** Nil where there are no organizations. */
  organizationId: string;
  /** Nil where there are no templates. */
  templateId: string;
  templateName: string;
  /** The task that the workspace is for, if it is for one: whose app's statuses are notified. S3.57. */
  task: { id: string; name: string; appId: string } | undefined;
  /** Undefined until somebody has used it. */
  lastUsedAtUs: number | undefined;
  createdAtUs: number;
}

/** One build of a workspace: a start, a stop, or its end. */
export interface BuildRecord {
  id: string;
  workspaceId: string;
  /** 1 for the first; each has one more than the one before. */
  number: number;
  transition: "start" | "stop" | "delete";
  /** How its job stands; `error` is for people. */
  job: { status: "pending" | "running" | "succeeded" | "failed" | "canceled"; error: string };
  /** Who asked for it; {@link prebuildsOwnerId} for workspaces that are to be claimed. */
  initiatorId: string;
  /** True for the build that gave a prebuilt workspace to its owner. */
  isClaim: boolean;
  /** Nil where there are no templates. */
  templateVersionId: string;
  createdAtUs: number;
}

/** An agent: what it was declared as, what it said of itself, and how it is. */
export interface AgentRecord {
  id: string;
  workspaceId: string;
  /** The build that made it; that of its parent for a sub-agent. */
  buildId: string;
  /** The agent that made this one; undefined for those of the workspace itself. */
  parentId: string | undefined;
  name: string;
  /** A UUID; who has it is the agent. */
  authToken: string;
  /** What the cloud calls the machine; undefined where agents do not log in by that. S5.41. */
  instanceId: string | undefined;
  architecture: string;
  operatingSystem: string;
  directory: string;
  environment: Readonly<Record<string, string>>;
  motdFile: string;
  displayApps: readonly string[];
  /** An agent that has not connected after so long has a status of its own; 0 for never. S2.17. */
  connectionTimeoutSeconds: number;
  troubleshootingUrl: string;
  /** Whether it may have what belongs to its user: tokens and keys. S5.20. */
  keyScope: "all" | "no_user_data";
  createdAtUs: number;

  /** Reported by the agent when it starts. */
  version: string;
  apiVersion: string;
  expandedDirectory: string;
  subsystems: readonly string[];

  lifecycleState: LifecycleState;
  startedAtUs: number | undefined;
  readyAtUs: number | undefined;

  connection: ConnectionTimes;

  logsLength: number;
  logsOverflowed: boolean;
}

/** When an agent was seen. S2.4–S2.10. */
export interface ConnectionTimes {
  firstConnectedAtUs: number | undefined;
  lastConnectedAtUs: number | undefined;
  disconnectedAtUs: number | undefined;
  /** The server that it was connected to last. */
  lastReplicaId: string | undefined;
}

/** An app of an agent. */
export interface AppRecord {
  id: string;
  agentId: string;
  slug: string;
  displayName: string;
  url: string;
  command: string;
  icon: string;
  external: boolean;
  subdomain: boolean;
  hidden: boolean;
  sharingLevel: SharingLevel;
  openIn: "slim_window" | "tab";
  group: string;
  displayOrder: number;
  tooltip: string;
  health: AppHealth;
  /** Undefined where the app has no health check. */
  healthcheck: { url: string; intervalSeconds: number; threshold: number } | undefined;
}

/** A status that an app reported. */
export interface AppStatusRecord {
  id: string;
  workspaceId: string;
  agentId: string;
  appId: string;
  state: AppState;
  message: string;
  uri: string | undefined;
  createdAtUs: number;
}

/** A script that an agent runs. */
export interface ScriptRecord {
  id: string;
  agentId: string;
  logSourceId: string;
  displayName: string;
  logPath: string;
  script: string;
  cron: string;
  runOnStart: boolean;
  runOnStop: boolean;
  startBlocksLogin: boolean;
  timeoutSeconds: number;
}

/** One run of a script. */
export interface ScriptTimingRecord {
  scriptId: string;
  startedAtUs: number;
  endedAtUs: number;
  exitCode: number;
  stage: "start" | "stop" | "cron";
  status: "ok" | "exit_failure" | "timed_out" | "pipes_left_open";
}

/** Where lines of an agent's log come from. */
export interface LogSourceRecord {
  agentId: string;
  id: string;
  displayName: string;
  icon: string;
  createdAtUs: number;
}

/** A line of an agent's log. */
export interface LogRecord {
  /** Grows with each line of the store. */
  id: number;
  agentId: string;
  createdAtUs: number;
  level: LogLevel;
  output: string;
  logSourceId: string;
}

/** A value that an agent collects over and over, and the script that does. */
export interface MetadataRecord {
  agentId: string;
  key: string;
  displayName: string;
  script: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  value: string;
  error: string;
  displayOrder: number;
  /** Undefined until the agent has sent a value. */
  collectedAtUs: number | undefined;
}

/** A devcontainer that an agent runs. */
export interface DevcontainerRecord {
  id: string;
  agentId: string;
  name: string;
  workspaceFolder: string;
  configPath: string;
  subagentId: string | undefined;
}

/** How one thing of an agent's machine is watched. S3.70–S3.72. */
export interface MonitorRecord {
  enabled: boolean;
  thresholdPercent: number;
  state: "ok" | "nok";
  /** Nobody is told again until then. Undefined where nobody has been told. */
  debouncedUntilUs: number | undefined;
}

/** What of an agent's machine is watched. */
export interface ResourceMonitors {
  memory: MonitorRecord | undefined;
  /** In the order in which they were declared. */
  volumes: readonly (MonitorRecord & { path: string })[];
}

/** A secret of a user, for the agents of their workspaces. S3.19. */
export interface SecretRecord {
  name: string;
  /** An empty text for none. */
  envName: string;
  /** An empty text for none. */
  filePath: string;
  value: Uint8Array;
}

/** A sample of memory and volumes that an agent has sent. */
export interface ResourceSample {
  collectedAtUs: number;
  memory: { usedBytes: bigint; totalBytes: bigint } | undefined;
  volumes: readonly { path: string; usedBytes: bigint; totalBytes: bigint }[];
}

/** A report that somebody connected to an agent, or left. */
export interface ConnectionReport {
  /** What both reports of a connection have. */
  connectionId: string;
  workspaceId: string;
  agentId: string;
  agentName: string;
  atUs: number;
  action: "connected" | "disconnected";
  type: ConnectionType;
  ip: string | undefined;
  /** Of a `disconnected` only. */
  statusCode: number | undefined;
  reason: string | undefined;
}

/** How somebody connects to an agent. */
export type ConnectionType = "ssh" | "vscode" | "jetbrains" | "reconnecting_pty";

/** A connection to an agent: its reports, merged. S3.90. */
export interface ConnectionLogRecord {
  id: string;
  connectionId: string;
  workspaceId: string;
  agentId: string;
  agentName: string;
  type: ConnectionType;
  ip: string | undefined;
  /** The earliest of its reports. */
  connectedAtUs: number;
  disconnectedAtUs: number | undefined;
  statusCode: number | undefined;
  reason: string | undefined;
}

/** A report of an agent's network traffic. */
export interface StatsRecord {
  agentId: string;
  createdAtUs: number;
  connectionCount: bigint;
  connectionMedianLatencyMs: number;
  rxPackets: bigint;
  rxBytes: bigint;
  txPackets: bigint;
  txBytes: bigint;
  sessionsVscode: bigint;
  sessionsJetbrains: bigint;
  sessionsReconnectingPty: bigint;
  sessionsSsh: bigint;
}

/** A run of a program behind an agent's boundary. S3.105. */
export interface BoundarySessionRecord {
  id: string;
  agentId: string;
  ownerId: string;
  confinedProcessName: string;
  startedAtUs: number;
}

/** A request that an agent's boundary let pass or refused. S3.107. */
export interface BoundaryLogRecord {
  id: string;
  agentId: string;
  sessionId: string;
  /** At least 0. */
  sequence: number;
  ownerId: string;
  isAllowed: boolean;
  atUs: number;
  capturedAtUs: number;
  method: string;
  url: string;
  matchedRule: string | undefined;
}

/** The latest context of an agent. */
export interface ContextSnapshotRecord {
  agentId: string;
  version: bigint;
  aggregateHash: Uint8Array;
  snapshotError: string;
  receivedAtUs: number;
  resources: readonly ContextResourceRecord[];
}

/** One thing of a workspace's context. */
export interface ContextResourceRecord {
  source: string;
  sourcePath: string | undefined;
  kind: "instruction_file" | "skill" | "mcp_config" | "mcp_server";
  status: "ok" | "oversize" | "unreadable" | "invalid" | "excluded";
  error: string;
  contentHash: Uint8Array;
  sizeBytes: bigint;
  /** The typed body as protobuf JSON. */
  body: unknown;
}

/** A telemetry event of a network client; the store does not look into it. */
export interface TelemetryRecord {
  id: string;
  /** The agent that sent it, or that its sender may reach; undefined for a client of all agents of a user. */
  agentId: string | undefined;
  /** Undefined where an agent sent it. */
  userId?: string | undefined;
  /** What the sender is to the coordinator. */
  peerId?: string | undefined;
  receivedAtUs: number;
  /** As protobuf JSON. */
  event: unknown;
}
