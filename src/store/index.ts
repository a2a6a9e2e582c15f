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
export * from "./records.js";
export type { AgentStore, LogsInserted, ManifestRecords, MetadataUpdate, NewLog } from "./store.js";
export { maxLogOutputCharacters, maxLogsLength, StoreConflict } from "./store.js";
