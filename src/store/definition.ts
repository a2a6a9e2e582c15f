import type { SharingLevel } from "./records.js";

/*
 * Workspaces as somebody declares them, in a file or by a program. What is left out has a sensible default; a UUID
 * that is left out is made once and kept.
 */

/** A workspace with its agents. */
export interface WorkspaceDefinition {
  /** The owner's user name; of a prebuilt workspace, whoever it waits for has none yet. */
  owner: string;
  name: string;
  /** True for a workspace that waits to be claimed: nobody owns it, whatever `owner` says. */
  isPrebuilt?: boolean | undefined;
  /** The task that it is for: statuses of that app are notified. */
  task?: { name: string; agent: string; app: string } | undefined;
  agents: readonly AgentDefinition[];
}

/** An agent of a workspace. */
export interface AgentDefinition {
  name: string;
  /** A UUID; made once and kept by default. */
  token?: string | undefined;
  /** What the cloud calls the machine, for agents that log in by that. */
  instanceId?: string | undefined;
  directory?: string | undefined;
  environment?: Readonly<Record<string, string>> | undefined;
  motdFile?: string | undefined;
  architecture?: string | undefined;
  operatingSystem?: string | undefined;
  /** An agent that has not connected after so long has a status of its own; 0, the default, for never. */
  connectionTimeoutSeconds?: number | undefined;
  troubleshootingUrl?: string | undefined;
  scripts?: readonly ScriptDefinition[] | undefined;
  apps?: readonly AppDefinition[] | undefined;
  metadata?: readonly MetadataDefinition[] | undefined;
  devcontainers?: readonly DevcontainerDefinition[] | undefined;
  resourceMonitoring?: ResourceMonitoringDefinition | undefined;
  logSources?: readonly LogSourceDefinition[] | undefined;
}

/** A script that the agent runs: at its start, at its stop, or by the clock. */
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

/** An app in the workspace. */
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
  openIn?: "slim_window" | "tab" | undefined;
  group?: string | undefined;
  displayOrder?: number | undefined;
  healthcheck?: { url: string; intervalSeconds: number; threshold: number } | undefined;
}

/** A value that the agent collects with a script, over and over. */
export interface MetadataDefinition {
  key: string;
  displayName?: string | undefined;
  script: string;
  intervalSeconds: number;
  timeoutSeconds?: number | undefined;
  displayOrder?: number | undefined;
}

/** A devcontainer that the agent runs. */
export interface DevcontainerDefinition {
  name: string;
  workspaceFolder: string;
  configPath?: string | undefined;
}

/** From which use on memory and volumes are reported. Enabled unless it says otherwise. */
export interface ResourceMonitoringDefinition {
  memory?: { thresholdPercent: number; enabled?: boolean | undefined } | undefined;
  volumes?: readonly { path: string; thresholdPercent: number; enabled?: boolean | undefined }[] | undefined;
}

/** Where lines of the agent's log come from. */
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
  /** A UUID. */
  ownerId: string;
  agent: string;
  id: string;
  token: string;
}
