import { normalizeUuid } from "../../codec/index.js";
import type { BoundaryLogRecord } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { HandlerFailure } from "./failure.js";
import { timestampUs } from "./time.js";

const maxLogs = 1000;

/** ReportBoundaryLogs. A failing store does not fail the call. S3.103–S3.108. */
export function boundaryHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async reportBoundaryLogs({ logs, sessionId }, context) {
      if (logs.length > maxLogs)
        throw new HandlerFailure(`batch size ${logs.length} exceeds maximum of ${maxLogs}`);
      const { agentId, ownerId } = sessionOf(context);
      const session = normalizeUuid(sessionId);
      if (session === undefined) return {};
      const records: BoundaryLogRecord[] = [];
      for (const { allowed, time, resource, sequenceNumber } of logs) {
        // other resources are of a later version
        if (resource.case !== "httpRequest") continue;
        const { method, url, matchedRule } = resource.value;
        records.push({
          id: crypto.randomUUID(),
          agentId,
          ownerId,
          capturedAtUs: deps.nowUs(),
          sessionId: session,
          sequence: sequenceNumber,
          isAllowed: allowed,
          atUs: time === undefined ? deps.nowUs() : timestampUs(time),
          method,
          url,
          matchedRule: allowed && matchedRule !== "" ? matchedRule : undefined,
        });
      }
      if (records.length > 0) await deps.store.insertBoundaryLogs(records).catch(() => {});
      return {};
    },
  };
}
