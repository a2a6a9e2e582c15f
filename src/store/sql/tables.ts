import type { Generated } from "kysely";
import type {
  AgentRecord,
  AppRecord,
  AppStatusRecord,
  BoundaryLogRecord,
  BoundarySessionRecord,
  BuildRecord,
  ConnectionLogRecord,
  ConnectionTimes,
  ContextSnapshotRecord,
  DevcontainerRecord,
  LogRecord,
  LogSourceRecord,
  MetadataRecord,
  MonitorRecord,
  ResourceSample,
  ScriptRecord,
  ScriptTimingRecord,
  SecretRecord,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "../records.js";
import type { SigningKeyRecord } from "../signing-keys.js";
import {
  bigInteger,
  bytes,
  flag,
  integer,
  json,
  optional,
  RecordColumns,
  type Row,
  real,
  text,
  word,
} from "./columns.js";
import { contextResources, sampleMemory, sampleVolumes } from "./nested-columns.js";

/** An agent in one level. */
export type FlatAgent = Omit<AgentRecord, "connection"> & ConnectionTimes;
/** What is watched of an agent's machine: its memory, or the volume at a path. */
export type TargetMonitor = MonitorRecord & { agentId: string; target: "memory" | "volume"; path: string };
/** A script's run, and whose script it is. */
export type AgentTiming = ScriptTimingRecord & { agentId: string };
/** A sample, and whose it is. */
export type AgentSample = ResourceSample & { agentId: string };
/** A secret, and whose it is. */
export type OwnedSecret = SecretRecord & { ownerId: string };

/** Where a row has its place among its siblings. */
interface Placed {
  position: number;
}
/** What is there in the order in which it came. */
interface Numbered {
  entry: Generated<number>;
}

/** The tables. Columns have the names of the fields, in snake case. */
export interface Tables {
  workspaces: Row<WorkspaceRecord>;
  builds: Row<BuildRecord>;
  agents: Row<FlatAgent> & Placed;
  apps: Row<AppRecord>;
  scripts: Row<ScriptRecord>;
  metadata: Row<MetadataRecord>;
  devcontainers: Row<DevcontainerRecord> & Placed;
  logSources: Row<LogSourceRecord>;
  monitors: Row<TargetMonitor> & Placed;
  secrets: Row<OwnedSecret>;
  logs: Row<Omit<LogRecord, "id">> & { id: Generated<number> };
  appStatuses: Row<AppStatusRecord> & Numbered;
  scriptTimings: Row<AgentTiming> & Numbered;
  stats: Row<StatsRecord> & Numbered;
  resourceSamples: Row<AgentSample> & Numbered;
  boundarySessions: Row<BoundarySessionRecord> & Numbered;
  boundaryLogs: Row<BoundaryLogRecord> & Numbered;
  telemetry: Row<TelemetryRecord> & Numbered;
  connections: Row<ConnectionLogRecord> & Numbered;
  contexts: Row<ContextSnapshotRecord>;
  signingKeys: Row<SigningKeyRecord>;
}

/** How a row of the kind `workspace` is kept. */
export const workspaceColumns = new RecordColumns<WorkspaceRecord>({
  id: text,
  name: text,
  ownerId: text,
  ownerUsername: text,
  organizationId: text,
  templateId: text,
  templateName: text,
  task: optional(json<NonNullable<WorkspaceRecord["task"]>>()),
  lastUsedAtUs: optional(integer),
  createdAtUs: integer,
});

/** How a row of the kind `build` is kept. */
export const buildColumns = new RecordColumns<BuildRecord>({
  id: text,
  workspaceId: text,
  number: integer,
  transition: word(),
  job: json(),
  initiatorId: text,
  isClaim: flag,
  templateVersionId: text,
  createdAtUs: integer,
});

const flatAgentColumns = new RecordColumns<FlatAgent>({
  id: text,
  workspaceId: text,
  buildId: text,
  parentId: optional(text),
  name: text,
  authToken: text,
  instanceId: optional(text),
  architecture: text,
  operatingSystem: text,
  directory: text,
  environment: json(),
  motdFile: text,
  displayApps: json(),
  connectionTimeoutSeconds: real,
  troubleshootingUrl: text,
  keyScope: word(),
  createdAtUs: integer,
  version: text,
  apiVersion: text,
  expandedDirectory: text,
  subsystems: json(),
  lifecycleState: word(),
  startedAtUs: optional(integer),
  readyAtUs: optional(integer),
  firstConnectedAtUs: optional(integer),
  lastConnectedAtUs: optional(integer),
  disconnectedAtUs: optional(integer),
  lastReplicaId: optional(text),
  logsLength: integer,
  logsOverflowed: flag,
});

/** How a row of the kind `agent` is kept. */
export const agentColumns = {
  names: flatAgentColumns.names,
  toRow({ connection, ...agent }: AgentRecord): Row<FlatAgent> {
    return flatAgentColumns.toRow({ ...agent, ...connection });
  },
  toRecord(row: Row<FlatAgent>): AgentRecord {
    const flat = flatAgentColumns.toRecord(row);
    const { firstConnectedAtUs, lastConnectedAtUs, disconnectedAtUs, lastReplicaId, ...agent } = flat;
    const connection = { firstConnectedAtUs, lastConnectedAtUs, disconnectedAtUs, lastReplicaId };
    return { ...agent, connection };
  },
};

/** How a row of the kind `app` is kept. */
export const appColumns = new RecordColumns<AppRecord>({
  id: text,
  agentId: text,
  slug: text,
  displayName: text,
  url: text,
  command: text,
  icon: text,
  external: flag,
  subdomain: flag,
  hidden: flag,
  sharingLevel: word(),
  openIn: word(),
  group: text,
  displayOrder: integer,
  tooltip: text,
  health: word(),
  healthcheck: optional(json<NonNullable<AppRecord["healthcheck"]>>()),
});

/** How a row of the kind `script` is kept. */
export const scriptColumns = new RecordColumns<ScriptRecord>({
  id: text,
  agentId: text,
  logSourceId: text,
  displayName: text,
  logPath: text,
  script: text,
  cron: text,
  runOnStart: flag,
  runOnStop: flag,
  startBlocksLogin: flag,
  timeoutSeconds: real,
});

/** How a row of the kind `metadata` is kept. */
export const metadataColumns = new RecordColumns<MetadataRecord>({
  agentId: text,
  key: text,
  displayName: text,
  script: text,
  intervalSeconds: real,
  timeoutSeconds: real,
  value: text,
  error: text,
  displayOrder: integer,
  collectedAtUs: optional(integer),
});

/** How a row of the kind `devcontainer` is kept. */
export const devcontainerColumns = new RecordColumns<DevcontainerRecord>({
  id: text,
  agentId: text,
  name: text,
  workspaceFolder: text,
  configPath: text,
  subagentId: optional(text),
});

/** How a row of the kind `logSource` is kept. */
export const logSourceColumns = new RecordColumns<LogSourceRecord>({
  agentId: text,
  id: text,
  displayName: text,
  icon: text,
  createdAtUs: integer,
});

/** How a row of the kind `monitor` is kept. */
export const monitorColumns = new RecordColumns<TargetMonitor>({
  agentId: text,
  target: word(),
  path: text,
  enabled: flag,
  thresholdPercent: real,
  state: word(),
  debouncedUntilUs: optional(integer),
});

/** How a row of the kind `secret` is kept. */
export const secretColumns = new RecordColumns<OwnedSecret>({
  ownerId: text,
  name: text,
  envName: text,
  filePath: text,
  value: bytes,
});

/** How a row of the kind `log` is kept. */
export const logColumns = new RecordColumns<LogRecord>({
  id: integer,
  agentId: text,
  createdAtUs: integer,
  level: word(),
  output: text,
  logSourceId: text,
});

/** How a row of the kind `appStatus` is kept. */
export const appStatusColumns = new RecordColumns<AppStatusRecord>({
  id: text,
  workspaceId: text,
  agentId: text,
  appId: text,
  state: word(),
  message: text,
  uri: optional(text),
  createdAtUs: integer,
});

/** How a row of the kind `timing` is kept. */
export const timingColumns = new RecordColumns<AgentTiming>({
  agentId: text,
  scriptId: text,
  startedAtUs: integer,
  endedAtUs: integer,
  exitCode: integer,
  stage: word(),
  status: word(),
});

/** How a row of the kind `stats` is kept. */
export const statsColumns = new RecordColumns<StatsRecord>({
  agentId: text,
  createdAtUs: integer,
  connectionCount: bigInteger,
  connectionMedianLatencyMs: real,
  rxPackets: bigInteger,
  rxBytes: bigInteger,
  txPackets: bigInteger,
  txBytes: bigInteger,
  sessionsVscode: bigInteger,
  sessionsJetbrains: bigInteger,
  sessionsReconnectingPty: bigInteger,
  sessionsSsh: bigInteger,
});

/** How a row of the kind `sample` is kept. */
export const sampleColumns = new RecordColumns<AgentSample>({
  agentId: text,
  collectedAtUs: integer,
  memory: optional(sampleMemory),
  volumes: sampleVolumes,
});

/** How a row of the kind `boundarySession` is kept. */
export const boundarySessionColumns = new RecordColumns<BoundarySessionRecord>({
  id: text,
  agentId: text,
  ownerId: text,
  confinedProcessName: text,
  startedAtUs: integer,
});

/** How a row of the kind `boundaryLog` is kept. */
export const boundaryLogColumns = new RecordColumns<BoundaryLogRecord>({
  id: text,
  agentId: text,
  sessionId: text,
  sequence: integer,
  ownerId: text,
  isAllowed: flag,
  atUs: integer,
  capturedAtUs: integer,
  method: text,
  url: text,
  matchedRule: optional(text),
});

/** How a row of the kind `telemetry` is kept. */
export const telemetryColumns = new RecordColumns<TelemetryRecord>({
  id: text,
  agentId: optional(text),
  userId: optional(text),
  peerId: optional(text),
  receivedAtUs: integer,
  event: json(),
});

/** How a row of the kind `connection` is kept. */
export const connectionColumns = new RecordColumns<ConnectionLogRecord>({
  id: text,
  connectionId: text,
  workspaceId: text,
  agentId: text,
  agentName: text,
  type: word(),
  ip: optional(text),
  connectedAtUs: integer,
  disconnectedAtUs: optional(integer),
  statusCode: optional(integer),
  reason: optional(text),
});

/** How a row of the kind `context` is kept. */
export const contextColumns = new RecordColumns<ContextSnapshotRecord>({
  agentId: text,
  version: bigInteger,
  aggregateHash: bytes,
  snapshotError: text,
  receivedAtUs: integer,
  resources: contextResources,
});

/** How a row of the kind `signingKey` is kept. */
export const signingKeyColumns = new RecordColumns<SigningKeyRecord>({
  purpose: text,
  sequence: integer,
  secret: bytes,
  createdAtUs: integer,
  signsUntilUs: integer,
  expiresAtUs: integer,
});
