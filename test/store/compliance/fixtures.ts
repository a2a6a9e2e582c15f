import { onTestFinished } from "vitest";
import {
  type AgentDefinition,
  type AgentRecord,
  blankAgent,
  type ContextSnapshotRecord,
  type ControlPlaneStore,
  type WorkspaceDefinition,
} from "../../../src/store/index.js";

export const sourceId = "11111111-2222-4333-8444-555555555555";
export const sessionId = "11111111-2222-4333-8444-666666666666";
export const token = "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";
export const otherToken = "7f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";
export const nobody = "00000000-0000-4000-8000-000000000000";
/** A time with microseconds. */
export const atUs = 1_758_000_000_123_457;
export const large = 2n ** 62n + 1n;
export const awkward = `emoji 🙂, quotes '"\`, a backslash \\, 𝕒 é, a percent %s $1 ?, a line\nand a tab\t`;

export const main: AgentDefinition = {
  name: "main",
  token,
  instanceId: "i-1",
  directory: "~/code",
  environment: { A: "1", b: awkward },
  scripts: [{ displayName: "start", script: "echo", runOnStart: true, timeoutSeconds: 1.5 }],
  apps: [
    {
      slug: "web",
      url: "http://localhost:1",
      healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 3 },
    },
    { slug: "bare" },
  ],
  metadata: [
    { key: "b", script: "b", intervalSeconds: 1, displayOrder: 1 },
    { key: "a", script: "a", intervalSeconds: 1, displayOrder: 1 },
    { key: "z", script: "z", intervalSeconds: 1 },
  ],
  devcontainers: [
    { name: "two", workspaceFolder: "/2" },
    { name: "one", workspaceFolder: "/1" },
  ],
  resourceMonitoring: {
    memory: { thresholdPercent: 80 },
    volumes: [
      { path: "/z", thresholdPercent: 90, enabled: false },
      { path: "/a", thresholdPercent: 70 },
    ],
  },
  logSources: [{ displayName: "Build", icon: "/b.png" }],
};
export const lab: WorkspaceDefinition = { owner: "ada", name: "lab", agents: [main] };

export const line = (output: string) => ({ level: "info" as const, output });

export function statsAt(agentId: string, i: number) {
  return {
    agentId,
    createdAtUs: atUs + i,
    connectionCount: large,
    connectionMedianLatencyMs: 0.1 + i,
    rxPackets: 1n,
    rxBytes: 2n ** 63n - 1n,
    txPackets: 3n,
    txBytes: 4n,
    sessionsVscode: 5n,
    sessionsJetbrains: 6n,
    sessionsReconnectingPty: 7n,
    sessionsSsh: -1n,
  };
}

export function boundaryLogAt(agentId: string, sequence: number) {
  return {
    id: crypto.randomUUID(),
    agentId,
    sessionId,
    sequence,
    ownerId: nobody,
    isAllowed: sequence % 2 === 0,
    atUs,
    capturedAtUs: atUs + 1,
    method: "GET",
    url: `https://x/${awkward}`,
    matchedRule: sequence % 2 === 0 ? "domain=x" : undefined,
  };
}

export function contextOf(agentId: string, version: bigint): ContextSnapshotRecord {
  return {
    agentId,
    version,
    aggregateHash: Uint8Array.of(0, 255, 128),
    snapshotError: awkward,
    receivedAtUs: atUs,
    resources: ["z", "a"].map((source) => ({
      source,
      sourcePath: source === "a" ? undefined : "/z",
      kind: "skill" as const,
      status: "ok" as const,
      error: "",
      contentHash: Uint8Array.of(1, 0, 2),
      sizeBytes: large,
      body: { skill: { name: awkward, list: [1, null, true] } },
    })),
  };
}

export function subAgentOf(parent: AgentRecord, name: string): AgentRecord {
  const { id: parentId, workspaceId, buildId } = parent;
  return { ...blankAgent(), parentId, workspaceId, buildId, name };
}

/** A store to test. */
export interface Subject {
  name: string;
  /** The test that asks for it closes it at its end. */
  emptyStore(): Promise<ControlPlaneStore>;
  /** With a workspace of one agent. */
  definedStore(
    definition?: WorkspaceDefinition,
  ): Promise<{ store: ControlPlaneStore; id: string; agent: AgentRecord; workspaceId: string }>;
}

export function subject(name: string, makeStore: () => Promise<ControlPlaneStore>): Subject {
  async function emptyStore(): Promise<ControlPlaneStore> {
    const store = await makeStore();
    onTestFinished(() => store.close());
    return store;
  }

  async function definedStore(definition = lab) {
    const store = await emptyStore();
    const [defined] = await store.define([definition]);
    const id = defined?.id ?? "";
    const agent = await store.agent(id);
    if (agent === undefined) throw new Error("the agent is not there");
    return { store, id, agent, workspaceId: agent.workspaceId };
  }

  return { name, emptyStore, definedStore };
}
