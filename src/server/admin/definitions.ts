import { Code, ConnectError } from "@connectrpc/connect";
import { normalizeUuid } from "../../codec/index.js";
import type {
  AgentDefinition as AgentMessage,
  AppDefinition as AppMessage,
  MonitorDefinition as MonitorMessage,
  WorkspaceDefinition as WorkspaceMessage,
} from "../../gen/agentwire/admin/v1/admin_pb.js";
import type {
  AgentDefinition,
  AppDefinition,
  ResourceMonitoringDefinition,
  SharingLevel,
  WorkspaceDefinition,
} from "../../store/index.js";

const sharingLevels: readonly SharingLevel[] = ["owner", "authenticated", "public", "organization"];
const agentName = /^[a-z0-9](-?[a-z0-9])*$/i;
const slug = /^[a-z0-9](-?[a-z0-9])*$/;
const maxNameCharacters = 64;

/**
 * A workspace that came as a message.
 * @throws ConnectError with `Code.InvalidArgument` that says which field is wrong.
 */
export function definitionOf(message: WorkspaceMessage, index: number): WorkspaceDefinition {
  const where = `workspaces[${index}]`;
  const { owner, name, isPrebuilt, task, agents } = message;
  if (owner === "" && !isPrebuilt) throw wrong(`${where}.owner`, "must not be empty");
  if (name === "") throw wrong(`${where}.name`, "must not be empty");
  return {
    owner,
    name,
    isPrebuilt,
    ...(task === undefined ? {} : { task: { name: task.name, agent: task.agent, app: task.app } }),
    agents: agents.map((agent, i) => agentOf(agent, `${where}.agents[${i}]`)),
  };
}

function agentOf(message: AgentMessage, where: string): AgentDefinition {
  const { name } = message;
  if (!agentName.test(name) || name.length > maxNameCharacters) {
    throw wrong(`${where}.name`, "must be letters, digits and single hyphens, at most 64");
  }
  return {
    name,
    token: uuidOr(message.token, `${where}.token`),
    instanceId: message.instanceId === "" ? undefined : message.instanceId,
    directory: message.directory,
    environment: message.environment,
    motdFile: message.motdFile,
    architecture: message.architecture,
    operatingSystem: message.operatingSystem,
    connectionTimeoutSeconds: natural(
      message.connectionTimeoutSeconds,
      `${where}.connection_timeout_seconds`,
    ),
    troubleshootingUrl: message.troubleshootingUrl,
    scripts: message.scripts.map((script, i) => ({
      displayName: named(script.displayName, `${where}.scripts[${i}].display_name`),
      script: script.script,
      cron: script.cron,
      runOnStart: script.runOnStart,
      runOnStop: script.runOnStop,
      startBlocksLogin: script.startBlocksLogin,
      timeoutSeconds: natural(script.timeoutSeconds, `${where}.scripts[${i}].timeout_seconds`),
      logPath: script.logPath,
      icon: script.icon,
    })),
    apps: message.apps.map((app, i) => appOf(app, `${where}.apps[${i}]`)),
    metadata: message.metadata.map((row, i) => ({
      key: named(row.key, `${where}.metadata[${i}].key`),
      displayName: row.displayName === "" ? row.key : row.displayName,
      script: row.script,
      intervalSeconds: natural(row.intervalSeconds, `${where}.metadata[${i}].interval_seconds`),
      timeoutSeconds: natural(row.timeoutSeconds, `${where}.metadata[${i}].timeout_seconds`),
    })),
    devcontainers: message.devcontainers.map((row, i) => ({
      name: named(row.name, `${where}.devcontainers[${i}].name`),
      workspaceFolder: row.workspaceFolder,
      configPath: row.configPath,
    })),
    resourceMonitoring: monitoringOf(message, where),
    logSources: message.logSources.map((row, i) => ({
      id: uuidOr(row.id, `${where}.log_sources[${i}].id`),
      displayName: named(row.displayName, `${where}.log_sources[${i}].display_name`),
      icon: row.icon,
    })),
  };
}

function appOf(message: AppMessage, where: string): AppDefinition {
  if (!slug.test(message.slug)) {
    throw wrong(`${where}.slug`, "must be lower-case letters, digits and single hyphens");
  }
  const sharingLevel = sharingLevels.find((level) => level === (message.sharingLevel || "owner"));
  if (sharingLevel === undefined)
    throw wrong(`${where}.sharing_level`, `must be one of ${sharingLevels.join(", ")}`);
  const { healthcheck } = message;
  return {
    slug: message.slug,
    displayName: message.displayName === "" ? message.slug : message.displayName,
    url: message.url,
    command: message.command,
    icon: message.icon,
    external: message.external,
    subdomain: message.subdomain,
    hidden: message.hidden,
    sharingLevel,
    healthcheck: healthcheck && {
      url: named(healthcheck.url, `${where}.healthcheck.url`),
      intervalSeconds: natural(healthcheck.intervalSeconds, `${where}.healthcheck.interval_seconds`),
      threshold: natural(healthcheck.threshold, `${where}.healthcheck.threshold`),
    },
  };
}

function monitoringOf(
  { memoryMonitor, volumeMonitors }: AgentMessage,
  where: string,
): ResourceMonitoringDefinition {
  const monitor = ({ thresholdPercent, isDisabled }: MonitorMessage, field: string) => {
    if (thresholdPercent < 0 || thresholdPercent > 100)
      throw wrong(`${field}.threshold_percent`, "must be 0 to 100");
    return { thresholdPercent, enabled: !isDisabled };
  };
  return {
    memory: memoryMonitor && monitor(memoryMonitor, `${where}.memory_monitor`),
    volumes: volumeMonitors.map((volume, i) => ({
      path: named(volume.path, `${where}.volume_monitors[${i}].path`),
      ...monitor(volume, `${where}.volume_monitors[${i}]`),
    })),
  };
}

function named(text: string, field: string): string {
  if (text === "") throw wrong(field, "must not be empty");
  return text;
}

function natural(value: number, field: string): number {
  if (value < 0) throw wrong(field, "must not be negative");
  return value;
}

/** @throws ConnectError without the text: it may be a token. */
function uuidOr(text: string, field: string): string | undefined {
  if (text === "") return undefined;
  const id = normalizeUuid(text);
  if (id === undefined) throw wrong(field, "must be a UUID");
  return id;
}

/** What is wrong with a field. */
export function wrong(field: string, why: string): ConnectError {
  return new ConnectError(`${field}: ${why}`, Code.InvalidArgument);
}
