/** Where a control plane keeps things: the interfaces for your own store, and one in memory. */

export { blankAgent } from "./blank-agent.js";
export { checkDefinitions } from "./check-definition.js";
export type { AgentReports, ControlPlaneStore, NewBuild } from "./control-plane-store.js";
export type {
  AgentDefinition,
  AppDefinition,
  DefinedAgent,
  DevcontainerDefinition,
  LogSourceDefinition,
  MetadataDefinition,
  ResourceMonitoringDefinition,
  ScriptDefinition,
  WorkspaceDefinition,
} from "./definition.js";
export { MemoryStore } from "./memory-store.js";
export { mergedConnection } from "./merged-connection.js";
export type {
  AgentRecord,
  AppHealth,
  AppRecord,
  AppState,
  AppStatusRecord,
  BoundaryLogRecord,
  BoundarySessionRecord,
  BuildRecord,
  ConnectionLogRecord,
  ConnectionReport,
  ConnectionTimes,
  ConnectionType,
  ContextResourceRecord,
  ContextSnapshotRecord,
  DevcontainerRecord,
  LifecycleState,
  LogLevel,
  LogRecord,
  LogSourceRecord,
  MetadataRecord,
  MonitorRecord,
  ResourceMonitors,
  ResourceSample,
  ScriptRecord,
  ScriptTimingRecord,
  SecretRecord,
  SharingLevel,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "./records.js";
export { lifecycleStates, prebuildsOwnerId } from "./records.js";
export type { SigningKeyRecord, SigningKeyStore } from "./signing-keys.js";
export { MemorySigningKeys } from "./signing-keys.js";
export type {
  AgentStore,
  ConnectionLogFilter,
  ConnectionUpdate,
  LogsInserted,
  ManifestRecords,
  MetadataUpdate,
  NewLog,
  OwnedWorkspace,
} from "./store.js";
export { maxLogOutputCharacters, maxLogsLength, StoreConflict } from "./store.js";
export type { AgentRows, WorkspaceRows } from "./workspace-rows.js";
export { definedRows, rowsOfNextBuild } from "./workspace-rows.js";
