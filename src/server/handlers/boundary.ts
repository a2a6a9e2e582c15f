import { normalizeUuid } from "../../codec/index.js";
import type { BoundaryLog } from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import type { BoundaryLogRecord } from "../../store/index.js";
import { type AgentSession, sessionOf } from "../agent-session.js";
import type { LogFields } from "../hooks.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { HandlerFailure } from "./failure.js";
import { goTime, timestampUs } from "./time.js";

const maxLogs = 1000;

/** A connection remembers so many sessions that are stored; more are stored again, which does nothing. */
const maxRememberedSessions = 1000;

/** ReportBoundaryLogs: a log line for each entry, and a row where its session is known. S3.103–S3.108. */
export function boundaryHandlers(deps: HandlerDeps): AgentHandlers {
  const storedSessions = new WeakMap<AgentSession, Set<string>>();
  const templateVersions = new WeakMap<AgentSession, Promise<string>>();

  const templateVersionOf = (who: AgentSession) => {
    const known = templateVersions.get(who) ?? readTemplateVersion(deps, who);
    templateVersions.set(who, known);
    return known;
  };

  const storeSession = async (who: AgentSession, id: string, confinedProcessName: string) => {
    const stored = storedSessions.get(who) ?? new Set<string>();
    storedSessions.set(who, stored);
    if (stored.has(id)) return;
    const { agentId, ownerId } = who;
    await deps.store.insertBoundarySession({
      id,
      agentId,
      ownerId,
      confinedProcessName,
      startedAtUs: deps.nowUs(),
    });
    if (stored.size >= maxRememberedSessions) stored.clear();
    stored.add(id);
  };

  return {
    async reportBoundaryLogs({ logs, sessionId, confinedProcessName }, context) {
      if (logs.length === 0) return {};
      if (logs.length > maxLogs)
        throw new HandlerFailure(`batch size ${logs.length} exceeds maximum of ${maxLogs}`);
      const who = sessionOf(context);
      const session = sessionId === "" ? undefined : normalizeUuid(sessionId);
      if (session === undefined && sessionId !== "") {
        deps.log.warn("boundary logs with a session that is no UUID are not stored", {
          agent_id: who.agentId,
        });
      }
      const templateVersionId = await templateVersionOf(who);
      const records: BoundaryLogRecord[] = [];
      const capturedAtUs = deps.nowUs();
      for (const entry of logs) {
        if (entry.resource.case !== "httpRequest") {
          deps.log.warn("a boundary log of an unknown resource is passed over", { agent_id: who.agentId });
          continue;
        }
        const { method, url, matchedRule } = entry.resource.value;
        const atUs = entry.time === undefined ? capturedAtUs : timestampUs(entry.time);
        deps.log.info("boundary_request", lineFields(who, entry, sessionId, templateVersionId, capturedAtUs));
        if (session === undefined) continue;
        records.push({
          id: crypto.randomUUID(),
          agentId: who.agentId,
          sessionId: session,
          sequence: entry.sequenceNumber,
          ownerId: who.ownerId,
          isAllowed: entry.allowed,
          atUs,
          capturedAtUs,
          method,
          url,
          matchedRule: entry.allowed && matchedRule !== "" ? matchedRule : undefined,
        });
      }
      if (session === undefined) return {};
      // what cannot be stored does not fail the call
      await storeSession(who, session, confinedProcessName).catch((error: unknown) => {
        deps.log.warn("a boundary session could not be stored", { error: errorText(error) });
      });
      if (records.length === 0) return {};
      await deps.store.insertBoundaryLogs(records).catch((error: unknown) => {
        deps.log.warn("boundary logs could not be stored", { error: errorText(error) });
      });
      return {};
    },
  };
}

/** The fields of a line. S3.106. */
function lineFields(
  who: AgentSession,
  { allowed, time, sequenceNumber, resource }: BoundaryLog,
  sessionId: string,
  templateVersionId: string,
  nowUs: number,
): LogFields {
  const { method = "", url = "", matchedRule = "" } = resource.case === "httpRequest" ? resource.value : {};
  return {
    owner: who.ownerUsername,
    workspace_name: who.workspaceName,
    agent_name: who.agentName,
    decision: allowed ? "allow" : "deny",
    session_id: sessionId,
    sequence_number: sequenceNumber,
    workspace_id: who.workspaceId,
    template_id: who.templateId,
    template_version_id: templateVersionId,
    http_method: method,
    http_url: url,
    event_time: goTime(time, nowUs),
    ...(allowed ? { matched_rule: matchedRule } : {}),
  };
}

async function readTemplateVersion({ store }: HandlerDeps, { workspaceId }: AgentSession): Promise<string> {
  const builds = await store.builds(workspaceId).catch(() => undefined);
  return builds?.latest.templateVersionId ?? "";
}
