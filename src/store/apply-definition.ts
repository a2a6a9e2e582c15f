import { blankAgent } from "./blank-agent.js";
import type { AgentDefinition, DefinedAgent, WorkspaceDefinition } from "./definition.js";
import type { MemoryStore } from "./memory-store.js";
import { metadataId } from "./memory-tables.js";
import type { AgentRecord, AppRecord, ResourceMonitors, WorkspaceRecord } from "./records.js";

/** Adds a workspace, or changes one to what is declared. What the agents have reported stays. */
export function applyDefinition(store: MemoryStore, definition: WorkspaceDefinition): DefinedAgent[] {
  const workspace = workspaceFor(store, definition);
  return definition.agents.map((declared) => {
    const agent = agentFor(store, workspace, declared);
    applyApps(store, agent, declared);
    applyScripts(store, agent, declared);
    applyMetadata(store, agent, declared);
    applyDevcontainers(store, agent, declared);
    applyLogSources(store, agent, declared);
    store.tables.monitors.set(agent.id, monitorsOf(declared));
    return {
      workspace: workspace.name,
      owner: workspace.ownerUsername,
      agent: agent.name,
      id: agent.id,
      token: agent.authToken,
    };
  });
}

function nowUs(): number {
  return Date.now() * 1000;
}

function workspaceFor(store: MemoryStore, { owner, name }: WorkspaceDefinition): WorkspaceRecord {
  const { workspaces } = store.tables;
  const known = workspaces.find((row) => row.ownerUsername === owner && row.name === name);
  if (known !== undefined) return known;
  const ownerId = workspaces.find((row) => row.ownerUsername === owner)?.ownerId ?? crypto.randomUUID();
  const workspace = { id: crypto.randomUUID(), name, ownerId, ownerUsername: owner };
  workspaces.put(workspace);
  return workspace;
}

function agentFor(store: MemoryStore, workspace: WorkspaceRecord, declared: AgentDefinition): AgentRecord {
  const known = store.tables.agents.find(
    (row) => row.workspaceId === workspace.id && row.name === declared.name,
  );
  const agent: AgentRecord = {
    ...(known ?? blankAgent()),
    workspaceId: workspace.id,
    name: declared.name,
    authToken: declared.token ?? known?.authToken ?? crypto.randomUUID(),
    directory: declared.directory ?? "",
    environment: declared.environment ?? {},
    motdFile: declared.motdFile ?? "",
    architecture: declared.architecture ?? "",
    operatingSystem: declared.operatingSystem ?? "",
  };
  store.putAgent(agent);
  return agent;
}

/** Rows of an agent that are declared no more go; `keep` has the ids of those that stay. */
function drop(
  table: {
    filter(m: (row: { id: string; agentId: string }) => boolean): { id: string }[];
    delete(id: string): void;
  },
  agentId: string,
  keep: ReadonlySet<string>,
): void {
  for (const { id } of table.filter((row) => row.agentId === agentId && !keep.has(row.id))) table.delete(id);
}

function applyApps(store: MemoryStore, agent: AgentRecord, { apps = [] }: AgentDefinition): void {
  const keep = new Set<string>();
  for (const declared of apps) {
    const known = store.tables.apps.find((row) => row.agentId === agent.id && row.slug === declared.slug);
    const app: AppRecord = {
      id: known?.id ?? crypto.randomUUID(),
      agentId: agent.id,
      slug: declared.slug,
      displayName: declared.displayName ?? declared.slug,
      url: declared.url ?? "",
      command: declared.command ?? "",
      icon: declared.icon ?? "",
      external: declared.external ?? false,
      subdomain: declared.subdomain ?? false,
      hidden: declared.hidden ?? false,
      sharingLevel: declared.sharingLevel ?? "owner",
      health: known?.health ?? (declared.healthcheck === undefined ? "disabled" : "initializing"),
      healthcheck: declared.healthcheck,
    };
    store.tables.apps.put(app);
    keep.add(app.id);
  }
  drop(store.tables.apps, agent.id, keep);
}

function applyScripts(store: MemoryStore, agent: AgentRecord, { scripts = [] }: AgentDefinition): void {
  const keep = new Set<string>();
  for (const declared of scripts) {
    const known = store.tables.scripts.find(
      (row) => row.agentId === agent.id && row.displayName === declared.displayName,
    );
    const id = known?.id ?? crypto.randomUUID();
    const logSourceId = known?.logSourceId ?? crypto.randomUUID();
    keep.add(id);
    store.tables.scripts.put({
      id,
      agentId: agent.id,
      logSourceId,
      displayName: declared.displayName,
      logPath: declared.logPath ?? "",
      script: declared.script,
      cron: declared.cron ?? "",
      runOnStart: declared.runOnStart ?? false,
      runOnStop: declared.runOnStop ?? false,
      startBlocksLogin: declared.startBlocksLogin ?? false,
      timeoutSeconds: declared.timeoutSeconds ?? 0,
    });
    store.tables.logSources.put({
      agentId: agent.id,
      id: logSourceId,
      displayName: declared.displayName,
      icon: declared.icon ?? "",
      createdAtUs: agent.createdAtUs,
    });
  }
  drop(store.tables.scripts, agent.id, keep);
}

function applyMetadata(store: MemoryStore, agent: AgentRecord, { metadata = [] }: AgentDefinition): void {
  const keep = new Set<string>();
  for (const declared of metadata) {
    const id = metadataId(agent.id, declared.key);
    const known = store.tables.metadata.get(id);
    keep.add(id);
    store.tables.metadata.put({
      id,
      agentId: agent.id,
      key: declared.key,
      displayName: declared.displayName ?? declared.key,
      script: declared.script,
      intervalSeconds: declared.intervalSeconds,
      timeoutSeconds: declared.timeoutSeconds ?? 0,
      value: known?.value ?? "",
      error: known?.error ?? "",
      collectedAtUs: known?.collectedAtUs,
    });
  }
  drop(store.tables.metadata, agent.id, keep);
}

function applyDevcontainers(
  store: MemoryStore,
  agent: AgentRecord,
  { devcontainers = [] }: AgentDefinition,
): void {
  const keep = new Set<string>();
  for (const declared of devcontainers) {
    const { devcontainers: table } = store.tables;
    const known = table.find((row) => row.agentId === agent.id && row.name === declared.name);
    const id = known?.id ?? crypto.randomUUID();
    keep.add(id);
    table.put({
      id,
      agentId: agent.id,
      name: declared.name,
      workspaceFolder: declared.workspaceFolder,
      configPath: declared.configPath ?? "",
      subagentId: known?.subagentId,
    });
  }
  drop(store.tables.devcontainers, agent.id, keep);
}

function applyLogSources(store: MemoryStore, agent: AgentRecord, { logSources = [] }: AgentDefinition): void {
  for (const declared of logSources) {
    const { logSources: table } = store.tables;
    const known = table.find((row) => row.agentId === agent.id && row.displayName === declared.displayName);
    table.put({
      agentId: agent.id,
      id: declared.id ?? known?.id ?? crypto.randomUUID(),
      displayName: declared.displayName,
      icon: declared.icon ?? "",
      createdAtUs: known?.createdAtUs ?? nowUs(),
    });
  }
}

function monitorsOf({ resourceMonitoring: declared }: AgentDefinition): ResourceMonitors {
  const { memory, volumes = [] } = declared ?? {};
  return {
    memory:
      memory === undefined
        ? undefined
        : { enabled: memory.enabled ?? true, thresholdPercent: memory.thresholdPercent },
    volumes: volumes.map(({ path, enabled, thresholdPercent }) => ({
      path,
      enabled: enabled ?? true,
      thresholdPercent,
    })),
  };
}
