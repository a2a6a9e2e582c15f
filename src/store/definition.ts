import type { SharingLevel } from "./records.js";

/*
 * Workspaces as somebody declares them, in a file or by a program. What is left out has a sensible default; a UUID
 * that is left out is made once and kept.
 */

/** A workspace with its agents. */
export interface WorkspaceDefinition {
  /** The owner's user name. */
  owner: string;
  name: string;
  agents: readonly AgentDefinition[];
}

export interface AgentDefinition {
  name: string;
  /** A UUID. */
  token?: string | undefined;
  directory?: string | undefined;
  environment?: Readonly<Record<string, string>> | undefined;
  motdFile?: string | undefined;
  architecture?: string | undefined;
  operatingSystem?: string | undefined;
  scripts?: readonly ScriptDefinition[] | undefined;
  apps?: readonly AppDefinition[] | undefined;
  metadata?: readonly MetadataDefinition[] | undefined;
  devcontainers?: readonly DevcontainerDefinition[] | undefined;
  resourceMonitoring?: ResourceMonitoringDefinition | undefined;
  logSources?: readonly LogSourceDefinition[] | undefined;
}

export interface ScriptDefinition {
  displayName: string;
  script: string;
  cron?: string | undefined;
  runOnStart?: boolean | undefined;
  runOnStop?: boolean | undefined;
  startBlocksLogin?: boolean | undefined;
  timeoutSeconds?: number | undefined;
  logPath?: string | undefined;
  icon?: string | undefined;
}

export interface AppDefinition {
  slug: string;
  displayName?: string | undefined;
  url?: string | undefined;
  command?: string | undefined;
  icon?: string | undefined;
  external?: boolean | undefined;
  subdomain?: boolean | undefined;
  hidden?: boolean | undefined;
  sharingLevel?: SharingLevel | undefined;
  healthcheck?: { url: string; intervalSeconds: number; threshold: number } | undefined;
}

export interface MetadataDefinition {
  key: string;
  displayName?: string | undefined;
  script: string;
  intervalSeconds: number;
  timeoutSeconds?: number | undefined;
}

export interface DevcontainerDefinition {
  name: string;
  workspaceFolder: string;
  configPath?: string | undefined;
}

export interface ResourceMonitoringDefinition {
  memory?: { thresholdPercent: number; enabled?: boolean | undefined } | undefined;
  volumes?: readonly { path: string; thresholdPercent: number; enabled?: boolean | undefined }[] | undefined;
}

export interface LogSourceDefinition {
  /** A UUID. */
  id?: string | undefined;
  displayName: string;
  icon?: string | undefined;
}

/** What became of a definition: who may connect, with which token. */
export interface DefinedAgent {
  workspace: string;
  owner: string;
  agent: string;
  id: string;
  token: string;
}
