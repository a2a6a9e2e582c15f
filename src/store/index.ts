/** Where a control plane keeps things: the interface for your own store, and one in memory. */

export { blankAgent } from "./blank-agent.js";
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
export type {
  AgentRecord,
  AppHealth,
  AppRecord,
  AppState,
  AppStatusRecord,
  BoundaryLogRecord,
  ConnectionLogRecord,
  ConnectionTimes,
  ContextResourceRecord,
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
  SharingLevel,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "./records.js";
export { lifecycleStates } from "./records.js";
export type { AgentStore, LogsInserted, ManifestRecords, MetadataUpdate, NewLog } from "./store.js";
export { maxLogOutputCharacters, maxLogsLength, StoreConflict } from "./store.js";
