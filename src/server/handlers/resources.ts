import { errorText } from "../../rpc/error-text.js";
import type { MonitorRecord, ResourceSample } from "../../store/index.js";
import { type AgentSession, sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { HandlerFailure } from "./failure.js";
import { sampleState, updatedMonitor } from "./resource-state.js";
import { timestampUs } from "./time.js";

/** What agents are told: so many samples in a window, one in so many seconds. S3.67. */
const config = { numDatapoints: 20, collectionIntervalSeconds: 10 };

type VolumeMonitor = MonitorRecord & { path: string };

/** GetResourcesMonitoringConfiguration and PushResourcesMonitoringUsage. S3.67–S3.75. */
export function resourceHandlers(deps: HandlerDeps): AgentHandlers {
  const turns = new Turns();
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
      const who = sessionOf(context);
      const samples = datapoints.map(({ collectedAt, memory, volumes }) => ({
        collectedAtUs: timestampUs(collectedAt),
        memory: memory === undefined ? undefined : { usedBytes: memory.used, totalBytes: memory.total },
        volumes: volumes.map(({ volume, used, total }) => ({
          path: volume,
          usedBytes: used,
          totalBytes: total,
        })),
      }));
      await turns.take(who.agentId, () => takeSamples(deps, who, samples));
      return {};
    },
  };
}

/** Memory first, then volumes; what fails of one does not keep the other from being looked at. S3.68. */
async function takeSamples(
  deps: HandlerDeps,
  who: AgentSession,
  samples: readonly ResourceSample[],
): Promise<void> {
  await step("update workspace monitor", () => deps.store.insertResourceSamples(who.agentId, samples));
  const failures: string[] = [];
  await watchMemory(deps, who, samples).catch((error) =>
    failures.push(`monitor memory: ${errorText(error)}`),
  );
  await watchVolumes(deps, who, samples).catch((error) =>
    failures.push(`monitor volume: ${errorText(error)}`),
  );
  if (failures.length > 0) throw new HandlerFailure(failures.join("\n"));
}

async function watchMemory(
  deps: HandlerDeps,
  who: AgentSession,
  samples: readonly ResourceSample[],
): Promise<void> {
  const { memory } = await deps.store.resourceMonitors(who.agentId);
  if (memory === undefined || !memory.enabled) return;
  const states = samples.map((sample) => sampleState(sample.memory, memory.thresholdPercent));
  const { monitor, isNews } = updatedMonitor(memory, states, deps.nowUs());
  await step("update workspace monitor", () =>
    deps.store.updateResourceMonitors(who.agentId, { memory: monitor, volumes: [] }),
  );
  if (!isNews) return;
  const { receiverId, labels, targets } = await owner(deps, who);
  await step("notify workspace OOM", () =>
    deps.notifications.send({
      kind: "out_of_memory",
      receiverId,
      labels: { ...labels, threshold: `${memory.thresholdPercent}%` },
      data: { timestamp: isoTime(deps) },
      createdBy: "workspace-monitor-memory",
      targets,
    }),
  );
}

/** One notification for all volumes that have just become full. S3.74. */
async function watchVolumes(
  deps: HandlerDeps,
  who: AgentSession,
  samples: readonly ResourceSample[],
): Promise<void> {
  const { volumes } = await deps.store.resourceMonitors(who.agentId);
  const full: VolumeMonitor[] = [];
  for (const volume of volumes) {
    if (!volume.enabled) continue;
    const states = samples.map((sample) => {
      const measured = sample.volumes.find(({ path }) => path === volume.path);
      return sampleState(measured, volume.thresholdPercent);
    });
    const { monitor, isNews } = updatedMonitor(volume, states, deps.nowUs());
    await step("update workspace monitor", () =>
      deps.store.updateResourceMonitors(who.agentId, { memory: undefined, volumes: [monitor] }),
    );
    if (isNews) full.push(monitor);
  }
  if (full.length === 0) return;
  const { receiverId, labels, targets } = await owner(deps, who);
  await step("notify workspace OOD", () =>
    deps.notifications.send({
      kind: "out_of_disk",
      receiverId,
      labels,
      data: {
        volumes: full.map(({ path, thresholdPercent }) => ({ path, threshold: `${thresholdPercent}%` })),
        timestamp: isoTime(deps),
      },
      createdBy: "workspace-monitor-volumes",
      targets,
    }),
  );
}

/** Whoever owns the workspace now. S3.73. */
async function owner(deps: HandlerDeps, { workspaceId }: AgentSession) {
  const workspace = await step("get workspace by id", () => deps.store.workspace(workspaceId));
  if (workspace === undefined) throw new Error("get workspace by id: sql: no rows in result set");
  return {
    receiverId: workspace.ownerId,
    labels: { workspace: workspace.name },
    targets: [workspace.id, workspace.ownerId, workspace.organizationId],
  };
}

async function step<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new HandlerFailure(`${what}: ${errorText(error)}`, undefined, error);
  }
}

function isoTime({ nowUs }: HandlerDeps): string {
  return new Date(nowUs() / 1000).toISOString();
}

/** Calls of the same agent, one after the other. */
class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take(key: string, run: () => Promise<void>): Promise<void> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(run);
    const over = mine.catch(() => {});
    this.#last.set(key, over);
    try {
      await mine;
    } finally {
      if (this.#last.get(key) === over) this.#last.delete(key);
    }
  }
}
