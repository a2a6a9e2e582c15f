import { sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { doing } from "./failure.js";
import { timestampUs } from "./time.js";

/** What agents are told: so many samples in a window, one in so many seconds. S3.67. */
const config = { numDatapoints: 20, collectionIntervalSeconds: 10 };

/** GetResourcesMonitoringConfiguration and PushResourcesMonitoringUsage. S3.67, S3.69. */
export function resourceHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async getResourcesMonitoringConfiguration(_request, context) {
      const { memory, volumes } = await deps.store.resourceMonitors(sessionOf(context).agentId);
      return {
        config,
        ...(memory === undefined ? {} : { memory: { enabled: memory.enabled } }),
        volumes: volumes.map(({ enabled, path }) => ({ enabled, path })),
      };
    },

    async pushResourcesMonitoringUsage({ datapoints }, context) {
      const { agentId } = sessionOf(context);
      const samples = datapoints.map(({ collectedAt, memory, volumes }) => ({
        collectedAtUs: timestampUs(collectedAt),
        memory: memory === undefined ? undefined : { usedBytes: memory.used, totalBytes: memory.total },
        volumes: volumes.map(({ volume, used, total }) => ({
          path: volume,
          usedBytes: used,
          totalBytes: total,
        })),
      }));
      await doing("update workspace monitor", () => deps.store.insertResourceSamples(agentId, samples));
      return {};
    },
  };
}
