import { type InstanceIdentityOptions, identityHandlers } from "../../../src/server/identity/index.js";
import { MemoryStore } from "../../../src/server/index.js";
import type { AgentRecord, AgentStore } from "../../../src/store/index.js";
import { testTimeMs } from "./certificates.js";

/** A store with one workspace; its agents' names are given, and their machines' ids. */
export async function storeWith(instances: Readonly<Record<string, string | undefined>>) {
  const store = new MemoryStore();
  const agents = Object.entries(instances).map(([name, instanceId]) => ({
    name,
    ...(instanceId === undefined ? {} : { instanceId }),
  }));
  const defined = await store.define([{ owner: "ada", name: "playground", agents }]);
  const token = (name: string) => defined.find(({ agent }) => agent === name)?.token;
  return { store, token };
}

/** A store that knows agents by their machines, and the ids of workspaces' latest builds. */
export function storeOf(
  agents: readonly Partial<AgentRecord>[],
  latest: Readonly<Record<string, string>>,
): AgentStore {
  const known: Partial<AgentStore> = {
    agentsByInstanceId: async (instanceId) =>
      agents.filter((agent) => agent.instanceId === instanceId) as AgentRecord[],
    builds: async (workspaceId) => {
      const id = latest[workspaceId];
      const build = { id } as never;
      return id === undefined ? undefined : { first: build, latest: build };
    },
  };
  return known as AgentStore;
}

/** Handlers at the time of the tests, and the reasons for which they refused. */
export async function handlersWith(
  identity: InstanceIdentityOptions,
  instances: Readonly<Record<string, string | undefined>> = { main: "i-0123456789abcdef0" },
) {
  const { store, token } = await storeWith(instances);
  const reasons: string[] = [];
  const handlers = identityHandlers({
    store,
    identity: {
      nowUs: () => testTimeMs * 1000,
      onRefused: ({ cloud, reason }) => reasons.push(`${cloud}: ${reason}`),
      ...identity,
    },
  });
  return { handlers, token, reasons, store };
}
