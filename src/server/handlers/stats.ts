import { prebuildsOwnerId } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import { runHook } from "../hooks.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { millisecondsDuration } from "./time.js";

/** UpdateStats. Without `stats` it only asks for the interval. S3.27–S3.33. */
export function statsHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async updateStats({ stats }, context) {
      const reportInterval = millisecondsDuration(deps.statsIntervalMs);
      if (stats === undefined) return { reportInterval };
      const who = sessionOf(context);
      const { agentId, ownerId, workspaceId } = who;
      deps.batches.stats.add({
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
      });
      if (stats.metrics.length > 0) {
        await runHook(deps.log, "the hook for metrics of agents", () =>
          deps.onAgentMetrics?.(who, stats.metrics),
        );
      }
      // only open connections are use: what the sessions' counters say does not matter
      if (stats.connectionCount === 0n) return { reportInterval };
      if (ownerId !== prebuildsOwnerId) {
        await runHook(deps.log, "the activity hook", () =>
          deps.activity.onConnections?.({ workspaceId, agentId }),
        );
      }
      deps.batches.used.add(workspaceId);
      deps.events.publish({ topic: "workspace", kind: "stats_update", ownerId, workspaceId });
      return { reportInterval };
    },
  };
}
