import { nilUuid } from "../codec/index.js";
import { blankAgent } from "./blank-agent.js";
import type { AgentDefinition, WorkspaceDefinition } from "./definition.js";
import {
  type AgentRecord,
  type AppRecord,
  type BuildRecord,
  type DevcontainerRecord,
  type LogSourceRecord,
  type MetadataRecord,
  type MonitorRecord,
  prebuildsOwnerId,
  type ResourceMonitors,
  type ScriptRecord,
  type WorkspaceRecord,
} from "./records.js";

/** A workspace's latest build, and what was declared for it. Agents that agents made are not in it. */
export interface WorkspaceRows {
  workspace: WorkspaceRecord;
  build: BuildRecord;
  agents: AgentRows[];
}

/** An agent, and what was declared for it. */
export interface AgentRows {
  agent: AgentRecord;
  apps: AppRecord[];
  scripts: ScriptRecord[];
  metadata: MetadataRecord[];
  devcontainers: DevcontainerRecord[];
  /** With those of agents and others outside of the definition. */
  logSources: LogSourceRecord[];
  monitors: ResourceMonitors;
}

/**
 * What a workspace is to be by its definition. What agents have reported stays, and so do ids and tokens; what is
 * declared no more is not in it. The same definition again gives the same rows.
 */
export function definedRows(
  current: WorkspaceRows | undefined,
  definition: WorkspaceDefinition,
  facts: { ownerId: string; nowUs: number },
): WorkspaceRows {
  const before = current ?? firstRows(definition, facts);
  const { build } = before;
  const agents = definition.agents.map((declared) => {
    const known = before.agents.find(({ agent }) => agent.name === declared.name);
    return agentRows(known, declared, before.workspace, build, facts.nowUs);
  });
  return { workspace: { ...before.workspace, task: taskOf(before, definition, agents) }, build, agents };
}

/**
 * What the next build of a workspace has: the same, with new ids, and nothing reported yet. Agents of a stopped
 * workspace are there too, and may not connect; a workspace that ends has none.
 */
export function rowsOfNextBuild(current: WorkspaceRows, build: BuildRecord, nowUs: number): WorkspaceRows {
  const { workspace } = current;
  if (build.transition === "delete") return { workspace, build, agents: [] };
  const appIds = new Map<string, string>();
  const agents = current.agents.map((rows): AgentRows => {
    const { agent } = rows;
    const { authToken, instanceId, name, architecture, operatingSystem, directory, environment } = agent;
    const { motdFile, displayApps, connectionTimeoutSeconds, troubleshootingUrl, keyScope } = agent;
    const next: AgentRecord = {
      ...blankAgent(),
      ...{ authToken, instanceId, name, architecture, operatingSystem, directory, environment },
      ...{ motdFile, displayApps, connectionTimeoutSeconds, troubleshootingUrl, keyScope },
      workspaceId: workspace.id,
      buildId: build.id,
      createdAtUs: nowUs,
    };
    const agentId = next.id;
    return {
      agent: next,
      apps: rows.apps.map((app) => {
        const id = crypto.randomUUID();
        appIds.set(app.id, id);
        return { ...app, id, agentId, health: initialHealth(app.healthcheck) };
      }),
      scripts: rows.scripts.map((script) => ({ ...script, id: crypto.randomUUID(), agentId })),
      metadata: rows.metadata.map((row) => ({
        ...row,
        agentId,
        value: "",
        error: "",
        collectedAtUs: undefined,
      })),
      devcontainers: rows.devcontainers.map((row) => ({
        ...row,
        id: crypto.randomUUID(),
        agentId,
        subagentId: undefined,
      })),
      logSources: rows.logSources.map((source) => ({ ...source, agentId, createdAtUs: nowUs })),
      monitors: {
        memory: rows.monitors.memory && fresh(rows.monitors.memory),
        volumes: rows.monitors.volumes.map((volume) => ({ ...volume, ...fresh(volume) })),
      },
    };
  });
  const { task } = workspace;
  const appId = task === undefined ? undefined : appIds.get(task.appId);
  return {
    workspace: {
      ...workspace,
      task: task === undefined ? undefined : { ...task, appId: appId ?? task.appId },
    },
    build,
    agents,
  };
}

function firstRows(
  { owner, name, isPrebuilt = false }: WorkspaceDefinition,
  { ownerId, nowUs }: { ownerId: string; nowUs: number },
): WorkspaceRows {
  const id = crypto.randomUUID();
  const initiatorId = isPrebuilt ? prebuildsOwnerId : ownerId;
  return {
    workspace: {
      id,
      name,
      ownerId: initiatorId,
      ownerUsername: isPrebuilt ? "prebuilds" : owner,
      organizationId: nilUuid,
      templateId: nilUuid,
      templateName: "",
      task: undefined,
      lastUsedAtUs: undefined,
      createdAtUs: nowUs,
    },
    build: {
      id: crypto.randomUUID(),
      workspaceId: id,
      number: 1,
      transition: "start",
      job: { status: "succeeded", error: "" },
      initiatorId,
      isClaim: false,
      templateVersionId: nilUuid,
      createdAtUs: nowUs,
    },
    agents: [],
  };
}

function taskOf(
  { workspace }: WorkspaceRows,
  { task }: WorkspaceDefinition,
  agents: readonly AgentRows[],
): WorkspaceRecord["task"] {
  if (task === undefined) return undefined;
  const { apps = [] } = agents.find(({ agent }) => agent.name === task.agent) ?? {};
  const appId = apps.find(({ slug }) => slug === task.app)?.id ?? nilUuid;
  return { id: workspace.task?.id ?? crypto.randomUUID(), name: task.name, appId };
}

function agentRows(
  known: AgentRows | undefined,
  declared: AgentDefinition,
  workspace: WorkspaceRecord,
  build: BuildRecord,
  nowUs: number,
): AgentRows {
  const agent: AgentRecord = {
    ...(known?.agent ?? { ...blankAgent(), createdAtUs: nowUs }),
    workspaceId: workspace.id,
    buildId: build.id,
    name: declared.name,
    directory: declared.directory ?? "",
    environment: declared.environment ?? {},
    motdFile: declared.motdFile ?? "",
    architecture: declared.architecture ?? "",
    operatingSystem: declared.operatingSystem ?? "",
    instanceId: declared.instanceId,
    connectionTimeoutSeconds: declared.connectionTimeoutSeconds ?? 0,
    troubleshootingUrl: declared.troubleshootingUrl ?? "",
  };
  if (declared.token !== undefined) agent.authToken = declared.token;
  const scripts = scriptRows(known, declared, agent.id);
  return {
    agent,
    scripts,
    apps: appRows(known, declared, agent.id),
    metadata: metadataRows(known, declared, agent.id),
    devcontainers: devcontainerRows(known, declared, agent.id),
    logSources: logSourceRows(known, declared, agent, scripts, nowUs),
    monitors: monitorRows(known, declared),
  };
}

function appRows(known: AgentRows | undefined, { apps = [] }: AgentDefinition, agentId: string): AppRecord[] {
  return apps.map((declared) => {
    const before = known?.apps.find(({ slug }) => slug === declared.slug);
    const { healthcheck } = declared;
    const wasChecked = before?.healthcheck !== undefined;
    const isChecked = healthcheck !== undefined;
    return {
      id: before?.id ?? crypto.randomUUID(),
      agentId,
      slug: declared.slug,
      displayName: declared.displayName ?? declared.slug,
      url: declared.url ?? "",
      command: declared.command ?? "",
      icon: declared.icon ?? "",
      external: declared.external ?? false,
      subdomain: declared.subdomain ?? false,
      hidden: declared.hidden ?? false,
      sharingLevel: declared.sharingLevel ?? "owner",
      openIn: declared.openIn ?? "slim_window",
      group: declared.group ?? "",
      displayOrder: declared.displayOrder ?? 0,
      tooltip: "",
      health: before !== undefined && wasChecked === isChecked ? before.health : initialHealth(healthcheck),
      healthcheck,
    };
  });
}

function initialHealth(healthcheck: AppRecord["healthcheck"]): AppRecord["health"] {
  return healthcheck === undefined ? "disabled" : "initializing";
}

function scriptRows(
  known: AgentRows | undefined,
  { scripts = [] }: AgentDefinition,
  agentId: string,
): ScriptRecord[] {
  return scripts.map((declared) => {
    const before = known?.scripts.find(({ displayName }) => displayName === declared.displayName);
    return {
      id: before?.id ?? crypto.randomUUID(),
      agentId,
      logSourceId: before?.logSourceId ?? crypto.randomUUID(),
      displayName: declared.displayName,
      logPath: declared.logPath ?? "",
      script: declared.script,
      cron: declared.cron ?? "",
      runOnStart: declared.runOnStart ?? false,
      runOnStop: declared.runOnStop ?? false,
      startBlocksLogin: declared.startBlocksLogin ?? false,
      timeoutSeconds: declared.timeoutSeconds ?? 0,
    };
  });
}

function metadataRows(
  known: AgentRows | undefined,
  { metadata = [] }: AgentDefinition,
  agentId: string,
): MetadataRecord[] {
  return metadata.map((declared) => {
    const before = known?.metadata.find(({ key }) => key === declared.key);
    return {
      agentId,
      key: declared.key,
      displayName: declared.displayName ?? declared.key,
      script: declared.script,
      intervalSeconds: declared.intervalSeconds,
      timeoutSeconds: declared.timeoutSeconds ?? 0,
      displayOrder: declared.displayOrder ?? 0,
      value: before?.value ?? "",
      error: before?.error ?? "",
      collectedAtUs: before?.collectedAtUs,
    };
  });
}

function devcontainerRows(
  known: AgentRows | undefined,
  { devcontainers = [] }: AgentDefinition,
  agentId: string,
): DevcontainerRecord[] {
  return devcontainers.map((declared) => {
    const before = known?.devcontainers.find(({ name }) => name === declared.name);
    return {
      id: before?.id ?? crypto.randomUUID(),
      agentId,
      name: declared.name,
      workspaceFolder: declared.workspaceFolder,
      configPath: declared.configPath ?? "",
      subagentId: before?.subagentId,
    };
  });
}

/** Those of scripts, those that are declared, and those that somebody has registered. */
function logSourceRows(
  known: AgentRows | undefined,
  { scripts = [], logSources = [] }: AgentDefinition,
  agent: AgentRecord,
  scriptRecords: readonly ScriptRecord[],
  nowUs: number,
): LogSourceRecord[] {
  const rows = new Map((known?.logSources ?? []).map((source) => [source.id, source]));
  const agentId = agent.id;
  for (const [i, { logSourceId: id, displayName }] of scriptRecords.entries()) {
    rows.set(id, { agentId, id, displayName, icon: scripts[i]?.icon ?? "", createdAtUs: agent.createdAtUs });
  }
  for (const { id: declaredId, displayName, icon = "" } of logSources) {
    const before = known?.logSources.find((source) => source.displayName === displayName);
    const id = declaredId ?? before?.id ?? crypto.randomUUID();
    rows.set(id, { agentId, id, displayName, icon, createdAtUs: before?.createdAtUs ?? nowUs });
  }
  return [...rows.values()];
}

function monitorRows(
  known: AgentRows | undefined,
  { resourceMonitoring: { memory, volumes = [] } = {} }: AgentDefinition,
): ResourceMonitors {
  return {
    memory: memory && monitor(known?.monitors.memory, memory),
    volumes: volumes.map((declared) => {
      const before = known?.monitors.volumes.find(({ path }) => path === declared.path);
      return { path: declared.path, ...monitor(before, declared) };
    }),
  };
}

function monitor(
  before: MonitorRecord | undefined,
  { enabled = true, thresholdPercent }: { enabled?: boolean | undefined; thresholdPercent: number },
): MonitorRecord {
  const { state = "ok", debouncedUntilUs } = before ?? {};
  return { enabled, thresholdPercent, state, debouncedUntilUs };
}

function fresh({ enabled, thresholdPercent }: MonitorRecord): MonitorRecord {
  return { enabled, thresholdPercent, state: "ok", debouncedUntilUs: undefined };
}
