import type {
  AgentRecord,
  AppRecord,
  AppStatusRecord,
  ConnectionLogRecord,
  MetadataRecord,
  MonitorRecord,
  ResourceSample,
  ScriptTimingRecord,
  StatsRecord,
} from "../../store/index.js";
import { agentStatus } from "../agent-status.js";
import { usTimestamp } from "../handlers/time.js";
import type { OpenSession } from "./open-sessions.js";

/** What beside its record says how an agent is. */
export interface AgentFacts {
  sessions: readonly OpenSession[];
  nowUs: number;
  /** An agent that has not been seen for so long is not connected. */
  disconnectTimeoutMs: number;
}

/** An agent, without its token and its apps. */
export function agentMessage(agent: AgentRecord, { sessions, nowUs, disconnectTimeoutMs }: AgentFacts) {
  const { id, name, parentId = "", lifecycleState, version, apiVersion, createdAtUs, connection } = agent;
  const { status, disconnectedAtUs } = agentStatus(agent, nowUs, disconnectTimeoutMs);
  return {
    id,
    name,
    parentId,
    lifecycleState,
    version,
    apiVersion,
    createdAt: usTimestamp(createdAtUs),
    ...timeAt("firstConnectedAt", connection.firstConnectedAtUs),
    ...timeAt("lastConnectedAt", connection.lastConnectedAtUs),
    ...timeAt("disconnectedAt", disconnectedAtUs),
    status,
    sessions: sessions.map(sessionMessage),
    logsOverflowed: agent.logsOverflowed,
    operatingSystem: agent.operatingSystem,
    architecture: agent.architecture,
    directory: agent.expandedDirectory || agent.directory,
  };
}

function sessionMessage({ role, apiVersion, remoteAddress = "", startedAtUs }: OpenSession) {
  return { role, apiVersion, remoteAddress, startedAt: usTimestamp(startedAtUs) };
}

/** An app, with the first of the statuses that is its own. @param statuses the newest first. */
export function appMessage(app: AppRecord, statuses: readonly AppStatusRecord[]) {
  const { id, slug, displayName, health } = app;
  const latest = statuses.find(({ appId }) => appId === id);
  return {
    id,
    slug,
    displayName,
    health,
    ...(latest === undefined ? {} : { latestStatus: appStatusMessage(latest) }),
  };
}

/** What an app said. */
export function appStatusMessage({ appId, state, message, uri = "", createdAtUs }: AppStatusRecord) {
  return { appId, state, message, uri, createdAt: usTimestamp(createdAtUs) };
}

/** A value of metadata, without the script that finds it. */
export function metadataMessage(row: MetadataRecord) {
  const { key, displayName, value, error, intervalSeconds, collectedAtUs } = row;
  return {
    key,
    displayName,
    value,
    error,
    intervalSeconds: BigInt(intervalSeconds),
    ...timeAt("collectedAt", collectedAtUs),
  };
}

/** What an agent measured. */
export function sampleMessage({ collectedAtUs, memory, volumes }: ResourceSample) {
  return { collectedAt: usTimestamp(collectedAtUs), memory, volumes: [...volumes] };
}

/** From when on somebody is told. @param path of a volume. */
export function monitorMessage({ thresholdPercent, enabled, state }: MonitorRecord, path = "") {
  return { path, thresholdPercent, isEnabled: enabled, state };
}

/** A report of traffic. */
export function statsMessage(stats: StatsRecord) {
  return {
    createdAt: usTimestamp(stats.createdAtUs),
    connectionCount: stats.connectionCount,
    connectionMedianLatencyMs: stats.connectionMedianLatencyMs,
    rxBytes: stats.rxBytes,
    txBytes: stats.txBytes,
    sessionsSsh: stats.sessionsSsh,
    sessionsVscode: stats.sessionsVscode,
    sessionsJetbrains: stats.sessionsJetbrains,
    sessionsReconnectingPty: stats.sessionsReconnectingPty,
  };
}

/** One run of a script. @param displayName of the script; empty for one that is there no more. */
export function scriptRunMessage(run: ScriptTimingRecord, displayName: string) {
  const { scriptId, startedAtUs, endedAtUs, exitCode, stage, status } = run;
  return {
    scriptId,
    displayName,
    startedAt: usTimestamp(startedAtUs),
    endedAt: usTimestamp(endedAtUs),
    exitCode,
    stage,
    status,
  };
}

/** Somebody who has connected. */
export function connectionMessage(row: ConnectionLogRecord) {
  const { id, type, ip = "", connectedAtUs, disconnectedAtUs, statusCode = 0, reason = "" } = row;
  return {
    id,
    type,
    ip,
    connectedAt: usTimestamp(connectedAtUs),
    ...timeAt("disconnectedAt", disconnectedAtUs),
    statusCode,
    reason,
  };
}

/** A time under a name; nothing where there is none. */
export function timeAt<Name extends string>(name: Name, us: number | undefined) {
  if (us === undefined) return {};
  return { [name]: usTimestamp(us) } as Record<Name, ReturnType<typeof usTimestamp>>;
}
