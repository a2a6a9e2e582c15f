import { sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { doing } from "./failure.js";
import { millisecondsDuration } from "./time.js";

/** UpdateStats. Without `stats` it only asks for the interval. S3.27–S3.32. */
export function statsHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async updateStats({ stats }, context) {
      const reportInterval = millisecondsDuration(deps.statsIntervalMs);
      if (stats === undefined) return { reportInterval };
      const { agentId, ownerId, workspaceId } = sessionOf(context);
      await doing("report agent stats", () =>
        deps.store.insertStats([
          {
            agentId,
            createdAtUs: deps.nowUs(),
            connectionCount: stats.connectionCount,
            connectionMedianLatencyMs: stats.connectionMedianLatencyMs,
            rxPackets: stats.rxPackets,
            rxBytes: stats.rxBytes,
            txPackets: stats.txPackets,
            txBytes: stats.txBytes,
            sessionsVscode: stats.sessionCountVscode,
            sessionsJetbrains: stats.sessionCountJetbrains,
            sessionsReconnectingPty: stats.sessionCountReconnectingPty,
            sessionsSsh: stats.sessionCountSsh,
          },
        ]),
      );
      if (stats.connectionCount !== 0n)
        deps.events.publish({ topic: "workspace", kind: "stats_update", ownerId, workspaceId });
      return { reportInterval };
    },
  };
}
