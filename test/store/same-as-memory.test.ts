import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import {
  type AgentRecord,
  blankAgent,
  type ControlPlaneStore,
  MemoryStore,
  StoreConflict,
} from "../../src/store/index.js";
import { openEmbeddedStore } from "../../src/store/sql/index.js";
import { runs, timeoutMs } from "../support/scale.js";

const folder = mkdtempSync(join(tmpdir(), "agentwire-same-"));
let embedded: ControlPlaneStore;

beforeAll(async () => {
  // all of one time, so that both stores write the same
  vi.useFakeTimers({ toFake: ["Date"], now: 1_758_000_000_000 });
  embedded = await openEmbeddedStore(folder);
});
afterAll(async () => {
  vi.useRealTimers();
  await embedded.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A workspace of one of the stores; agents are told by their names, for ids differ. */
interface Side {
  store: ControlPlaneStore;
  owner: string;
  workspaceId: string;
  agents: readonly AgentRecord[];
}
type Operation = (side: Side) => Promise<unknown>;

const words = fc.oneof(fc.constantFrom("a", "b", "c"), fc.string({ unit: "grapheme", maxLength: 8 }));
const small = fc.integer({ min: 0, max: 5 });
const times = fc.option(fc.integer({ min: 0, max: 2 ** 53 - 1 }), { nil: undefined });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** An operation on one of the agents that there are. */
function onAgent<T>(
  values: fc.Arbitrary<T>,
  run: (side: Side, agent: AgentRecord, value: T) => Promise<unknown>,
) {
  return fc.tuple(small, values).map(
    ([which, value]): Operation =>
      async (side) => {
        const agent = side.agents[which % Math.max(1, side.agents.length)];
        return agent && (await run(side, agent, value));
      },
  );
}

const declared = fc.record({
  directory: words,
  environment: fc.dictionary(fc.constantFrom("A", "B"), words),
  apps: fc.uniqueArray(fc.record({ slug: fc.constantFrom("x", "y", "z"), displayName: words }), {
    selector: (app) => app.slug,
  }),
  metadata: fc.uniqueArray(
    fc.record({
      key: fc.constantFrom("k", "l", "m"),
      script: words,
      intervalSeconds: small,
      displayOrder: small,
    }),
    { selector: ({ key }) => key },
  ),
  devcontainers: fc.uniqueArray(fc.record({ name: fc.constantFrom("d", "e"), workspaceFolder: words }), {
    selector: ({ name }) => name,
  }),
  scripts: fc.array(fc.record({ displayName: fc.constant("s"), script: words }), { maxLength: 1 }),
  resourceMonitoring: fc.record({
    volumes: fc.uniqueArray(fc.record({ path: fc.constantFrom("/", "/v"), thresholdPercent: small }), {
      selector: ({ path }) => path,
    }),
  }),
});
const levels = fc.constantFrom("debug" as const, "error" as const);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.array(declared, { minLength: 1, maxLength: 3 }).map(
    (agents): Operation =>
      async ({ store, owner }) => {
        await store.define([
          { owner, name: "lab", agents: agents.map((agent, i) => ({ name: `main${i}`, ...agent })) },
        ]);
      },
  ),
  fc
    .tuple(
      fc.constantFrom("start" as const, "stop" as const),
      fc.constantFrom("succeeded" as const, "failed" as const),
    )
    .map(
      ([transition, status]): Operation =>
        async ({ store, workspaceId }) => {
          return await store.newBuild(workspaceId, { transition, job: { status, error: "" } });
        },
    ),
  onAgent(fc.constantFrom("s0", "s1", "s2"), ({ store }, { id: parentId, workspaceId, buildId }, name) =>
    store.insertSubAgent({ ...blankAgent(), parentId, workspaceId, buildId, name }),
  ),
  onAgent(fc.constant(0), ({ store }, { id }) => store.deleteAgent(id)),
  onAgent(fc.tuple(times, times), ({ store }, { id }, [startedAtUs, readyAtUs]) =>
    store.updateLifecycle(id, { state: "ready", startedAtUs, readyAtUs }),
  ),
  onAgent(
    fc.tuple(times, times, words),
    ({ store }, { id: agentId }, [firstConnectedAtUs, lastConnectedAtUs, lastReplicaId]) =>
      store.updateConnections([
        { agentId, firstConnectedAtUs, lastConnectedAtUs, disconnectedAtUs: undefined, lastReplicaId },
      ]),
  ),
  onAgent(
    fc.array(
      fc.record({ key: fc.constantFrom("k", "l", "none"), value: words, error: words, collectedAtUs: small }),
    ),
    ({ store }, { id: agentId }, updates) =>
      store.updateMetadata(updates.map((update) => ({ agentId, ...update }))),
  ),
  onAgent(
    fc.array(fc.record({ level: levels, output: words }), { maxLength: 4 }),
    async ({ store }, { id }, logs) => {
      const result = await store.insertLogs(id, "source", 1, logs);
      return result.kind === "stored" ? result.wereFirst : result;
    },
  ),
  onAgent(
    fc.record({
      slug: fc.constantFrom("x", "own"),
      health: fc.constantFrom("healthy" as const, "unhealthy" as const),
    }),
    async ({ store }, { id }, { slug, health }) => {
      const [app] = await store.apps(id);
      if (app === undefined) return;
      await store.updateAppHealth(app.id, health);
      await store.insertApp({ ...app, id: crypto.randomUUID(), slug });
    },
  ),
  onAgent(
    fc.record({ id: fc.constantFrom("1", "2"), message: words, createdAtUs: small }),
    ({ store }, { id: agentId, workspaceId }, status) =>
      store.insertAppStatus({
        agentId,
        workspaceId,
        appId: "",
        state: "idle",
        uri: undefined,
        ...status,
        id: `${status.id}${status.message}`,
      }),
  ),
  onAgent(
    fc.tuple(int64, fc.boolean(), words),
    ({ store }, { id: agentId }, [version, isInitial, snapshotError]) =>
      store.replaceContext(
        { agentId, version, aggregateHash: new Uint8Array(2), snapshotError, receivedAtUs: 1, resources: [] },
        isInitial,
      ),
  ),
  onAgent(small, async ({ store }, { id }, startedAtUs) => {
    const [script] = (await store.manifestRecords(id)).scripts;
    if (script === undefined) return;
    await store.insertScriptTiming({
      scriptId: script.id,
      startedAtUs,
      endedAtUs: 9,
      exitCode: 0,
      stage: "cron",
      status: "ok",
    });
  }),
  onAgent(
    fc.record({ path: fc.constantFrom("/", "/v", "/w"), debouncedUntilUs: times }),
    ({ store }, { id }, volume) =>
      store.updateResourceMonitors(id, {
        memory: undefined,
        volumes: [{ ...volume, enabled: true, thresholdPercent: 0, state: "nok" }],
      }),
  ),
  onAgent(fc.tuple(int64, int64, words), ({ store }, { id }, [usedBytes, totalBytes, path]) =>
    store.insertResourceSamples(id, [
      { collectedAtUs: 1, memory: { usedBytes, totalBytes }, volumes: [{ path, usedBytes, totalBytes }] },
    ]),
  ),
  onAgent(
    fc.record({
      connection: small,
      atUs: small,
      action: fc.constantFrom("connected" as const, "disconnected" as const),
      reason: fc.option(words, { nil: undefined }),
    }),
    ({ store }, { id: agentId, name: agentName, workspaceId }, { connection, ...report }) => {
      const connectionId = `${workspaceId}/${connection}`;
      return store.insertConnectionReports([
        {
          ...report,
          connectionId,
          agentId,
          agentName,
          workspaceId,
          type: "ssh",
          ip: undefined,
          statusCode: undefined,
        },
      ]);
    },
  ),
  fc.tuple(fc.constantFrom("p", "q"), fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined })).map(
    ([name, value]): Operation =>
      ({ store, owner }) =>
        store.setSecret(owner, name, value && { envName: "", filePath: "", value }),
  ),
);

/** Everything that can be read of a workspace, ids replaced by their first places in it. */
async function everything({ store, workspaceId }: Side): Promise<string> {
  const agents = byName(await store.agents(workspaceId));
  const workspace = await store.workspace(workspaceId);
  const connections = await store.connectionLog({ workspaceId, limit: 1000 });
  const all: unknown[] = [
    workspace,
    await store.builds(workspaceId),
    await store.secrets(workspace?.ownerId ?? ""),
  ];
  for (const owned of await store.ownedWorkspaces(workspace?.ownerId ?? "")) {
    all.push({ ...owned, agents: byName(owned.agents) });
  }
  all.push(connections.map(({ id: _id, agentId: _agent, ...row }) => JSON.stringify(row, plain)).sort());
  for (const { id, authToken } of agents) {
    all.push(await store.agent(id), await store.agentByToken(authToken), await store.manifestRecords(id));
    all.push(await store.resourceMonitors(id), await store.scriptTimings(id));
    // equally old ones have no order
    const sources = await store.logSources(id);
    all.push(sources.map(({ id: _id, agentId: _agent, ...row }) => JSON.stringify(row, plain)).sort());
    all.push((await store.logs(id, 0, 1000)).map(({ id: _id, ...row }) => row));
    // of two that are the same in both, the order says nothing
    all.push(
      (await store.appStatuses({ agentId: id }, 1000)).map((status) => [status.createdAtUs, status.id]),
    );
    all.push(await store.context(id), await store.reports(id, 1000), byName(await store.subAgents(id)));
  }
  const places = new Map<string, string>();
  return JSON.stringify(all, plain, 1).replace(uuids, (uuid) => {
    const place = places.get(uuid) ?? `id ${places.size}`;
    places.set(uuid, place);
    return place;
  });
}

const uuids = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Fields by name, and what JSON does not know as text. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function byName(agents: readonly AgentRecord[]): AgentRecord[] {
  return [...agents].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function outcome(side: Side, run: Operation): Promise<string> {
  const { store, workspaceId } = side;
  const agents = byName(await store.agents(workspaceId));
  try {
    const value = await run({ ...side, agents });
    return JSON.stringify(value ?? null, plain).replace(uuids, "id");
  } catch (error) {
    if (!(error instanceof StoreConflict)) throw error;
    return String(error).replace(uuids, "id");
  }
}

it(
  "after any operations both stores give the same",
  async () => {
    const memory = new MemoryStore();
    let owners = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (operations) => {
        const owner = `owner${++owners}`;
        const sides: Side[] = [];
        for (const store of [memory, embedded]) {
          await store.define([
            { owner, name: "lab", agents: [{ name: "main0", scripts: [{ displayName: "s", script: "" }] }] },
          ]);
          const workspaceId = (await store.workspaces()).find((one) => one.ownerUsername === owner)?.id ?? "";
          sides.push({ store, owner, workspaceId, agents: [] });
        }
        for (const run of operations) {
          const [one, other] = await Promise.all(sides.map((side) => outcome(side, run)));
          expect(other).toBe(one);
        }
        const [one, other] = await Promise.all(sides.map(everything));
        expect(other).toBe(one);
      }),
      runs(60),
    );
  },
  timeoutMs(60_000),
);
