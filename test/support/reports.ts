import type { ControlPlane } from "../../src/server/index.js";
import type { ControlPlaneStore } from "../../src/store/index.js";

/** Everything that an agent has sent and that is kept; oldest first. */
export async function reportsOf(store: ControlPlaneStore, agentId: string) {
  const all = 1000;
  return {
    ...(await store.reports(agentId, all)),
    metadata: (await store.manifestRecords(agentId)).metadata,
    appStatuses: [...(await store.appStatuses({ agentId }, all))].reverse(),
    connections: [...(await store.connectionLog({ agentId, limit: all }))].reverse(),
    scriptTimings: await store.scriptTimings(agentId),
    context: await store.context(agentId),
  };
}

/** The same, once what waits to be stored has been. */
export async function storedReports({ api, store }: Pick<ControlPlane, "api" | "store">, agentId: string) {
  await api.flush();
  return reportsOf(store, agentId);
}
