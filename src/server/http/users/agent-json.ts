import { nilUuid } from "../../../codec/index.js";
import type {
  AgentRecord,
  AppRecord,
  AppStatusRecord,
  LogSourceRecord,
  ManifestRecords,
  ScriptRecord,
  WorkspaceRecord,
} from "../../../store/index.js";
import { agentHealth, agentStatus } from "../../agent-status.js";
import { subdomainName } from "../../handlers/manifest.js";
import { isoTime } from "../times.js";

/** What an agent's JSON is made of. */
export interface AgentFacts {
  agent: AgentRecord;
  workspace: WorkspaceRecord;
  records: ManifestRecords;
  logSources: readonly LogSourceRecord[];
  /** Newest first. */
  statuses: readonly AppStatusRecord[];
  nowUs: number;
  disconnectTimeoutMs: number;
  /** For agents that have none of their own. */
  troubleshootingUrl: string;
}

/** An agent as people and their tools see it. S5.43. */
export function agentJson(facts: AgentFacts) {
  const { agent, records } = facts;
  const { status, disconnectedAtUs } = agentStatus(agent, facts.nowUs, facts.disconnectTimeoutMs);
  const { firstConnectedAtUs, lastConnectedAtUs } = agent.connection;
  const blocksLogin = records.scripts.some(({ startBlocksLogin }) => startBlocksLogin);
  return {
    id: agent.id,
    parent_id: agent.parentId ?? null,
    created_at: isoTime(agent.createdAtUs),
    updated_at: isoTime(lastChangeUs(agent)),
    ...optionalTime("first_connected_at", firstConnectedAtUs),
    ...optionalTime("last_connected_at", lastConnectedAtUs),
    ...optionalTime("disconnected_at", disconnectedAtUs),
    ...optionalTime("started_at", agent.startedAtUs),
    ...optionalTime("ready_at", agent.readyAtUs),
    status,
    lifecycle_state: agent.lifecycleState,
    name: agent.name,
    // agents of this API belong to builds, not to resources of them
    resource_id: nilUuid,
    ...optionalText("instance_id", agent.instanceId),
    architecture: agent.architecture,
    environment_variables: agent.environment,
    operating_system: agent.operatingSystem,
    logs_length: agent.logsLength,
    logs_overflowed: agent.logsOverflowed,
    ...optionalText("directory", agent.directory),
    ...optionalText("expanded_directory", agent.expandedDirectory),
    version: agent.version,
    api_version: agent.apiVersion,
    apps: records.apps.map((app) => appJson(app, facts)),
    connection_timeout_seconds: agent.connectionTimeoutSeconds,
    troubleshooting_url: agent.troubleshootingUrl || facts.troubleshootingUrl,
    subsystems: agent.subsystems,
    health: agentHealth(status, agent.lifecycleState),
    display_apps: agent.displayApps,
    log_sources: facts.logSources.map(logSourceJson),
    scripts: records.scripts.map(scriptJson),
    startup_script_behavior: blocksLogin ? "blocking" : "non-blocking",
  };
}

/** A status of an app. */
export function appStatusJson(status: AppStatusRecord) {
  return {
    id: status.id,
    created_at: isoTime(status.createdAtUs),
    workspace_id: status.workspaceId,
    agent_id: status.agentId,
    app_id: status.appId,
    state: status.state,
    message: status.message,
    uri: status.uri ?? "",
  };
}

function appJson(app: AppRecord, { agent, workspace, statuses }: AgentFacts) {
  const { url = "", intervalSeconds = 0, threshold = 0 } = app.healthcheck ?? {};
  return {
    id: app.id,
    ...optionalText("url", app.url),
    external: app.external,
    slug: app.slug,
    display_name: app.displayName,
    ...optionalText("command", app.command),
    ...optionalText("icon", app.icon),
    subdomain: app.subdomain,
    ...optionalText("subdomain_name", subdomainName(app, agent.name, workspace)),
    sharing_level: app.sharingLevel,
    healthcheck: { url, interval: intervalSeconds, threshold },
    health: app.health,
    group: app.group,
    hidden: app.hidden,
    open_in: app.openIn,
    tooltip: app.tooltip,
    statuses: statuses.filter(({ appId }) => appId === app.id).map(appStatusJson),
  };
}

function logSourceJson(source: LogSourceRecord) {
  return {
    workspace_agent_id: source.agentId,
    id: source.id,
    created_at: isoTime(source.createdAtUs),
    display_name: source.displayName,
    icon: source.icon,
  };
}

function scriptJson(script: ScriptRecord) {
  return {
    id: script.id,
    log_source_id: script.logSourceId,
    log_path: script.logPath,
    script: script.script,
    cron: script.cron,
    run_on_start: script.runOnStart,
    run_on_stop: script.runOnStop,
    start_blocks_login: script.startBlocksLogin,
    timeout: script.timeoutSeconds,
    display_name: script.displayName,
  };
}

/** The latest time that is known of it. */
function lastChangeUs({ createdAtUs, connection, startedAtUs = 0, readyAtUs = 0 }: AgentRecord): number {
  const { lastConnectedAtUs = 0, disconnectedAtUs = 0 } = connection;
  return Math.max(createdAtUs, lastConnectedAtUs, disconnectedAtUs, startedAtUs, readyAtUs);
}

function optionalTime<Name extends string>(name: Name, us: number | undefined): { [key in Name]?: string } {
  return us === undefined ? {} : ({ [name]: isoTime(us) } as { [key in Name]?: string });
}

function optionalText<Name extends string>(name: Name, text: string | undefined): { [key in Name]?: string } {
  return text ? ({ [name]: text } as { [key in Name]?: string }) : {};
}
