import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { normalizeUuid } from "../../codec/index.js";
import type { AdminService } from "../../gen/agentwire/admin/v1/admin_pb.js";
import {
  type BuildRecord,
  type ControlPlaneStore,
  prebuildsOwnerId,
  StoreConflict,
  type WorkspaceRecord,
} from "../../store/index.js";
import { type ApiVersion, newestVersion } from "../../version/index.js";
import { claimWorkspace } from "../claim-workspace.js";
import { type MonitorOptions, resolveMonitorOptions } from "../connection-monitor.js";
import type { Events } from "../events/index.js";
import { usTimestamp } from "../handlers/time.js";
import { workspaceChanged } from "../workspace-changed.js";
import { agentDetails } from "./agent-details.js";
import { type AgentFacts, agentMessage, appMessage, timeAt } from "./agent-messages.js";
import { definitionOf, wrong } from "./definitions.js";
import { OpenSessions } from "./open-sessions.js";
import { watchedEvents } from "./watched-events.js";

/** What the admin API works with. */
export interface AdminDeps {
  store: ControlPlaneStore;
  events: Events;
  /** The sessions that are open on this server. Without it agents are shown without sessions. */
  sessions?: OpenSessions;
  /** How agents are watched, which says when one counts as disconnected. */
  monitor?: MonitorOptions | undefined;
  /** How often `watchEvents` gives a sign of life to who asks for sessions, in milliseconds; 15,000 by default. */
  streamPingIntervalMs?: number | undefined;
  /** The newest version of the agent API that the server speaks; 2.10 by default. */
  serverVersion?: ApiVersion | undefined;
  /** Microseconds since 1970; the clock of this machine by default. */
  nowUs?: (() => number) | undefined;
}

const defaultPingIntervalMs = 15_000;

/** Of an agent's statuses so many are looked through for the latest of each app. */
const statusesForApps = 100;

const transitions = ["start", "stop", "delete"] as const;

/** Handlers of `agentwire.admin.v1.AdminService`. Whoever mounts them checks who calls. */
export function adminService(deps: AdminDeps): ServiceImpl<typeof AdminService> {
  const { store, events, sessions = new OpenSessions(), nowUs = () => Date.now() * 1000 } = deps;
  const pingIntervalMs = deps.streamPingIntervalMs ?? defaultPingIntervalMs;
  const { disconnectTimeoutMs } = resolveMonitorOptions(deps.monitor);
  const factsOf = (agentId: string): AgentFacts => ({
    sessions: sessions.of(agentId),
    nowUs: nowUs(),
    disconnectTimeoutMs,
  });
  const changed = (workspace: WorkspaceRecord) => workspaceChanged(events, workspace);

  return {
    ...agentDetails({ store, factsOf, serverVersion: deps.serverVersion ?? newestVersion }),

    async listWorkspaces({ withApps, workspaceIds }) {
      const wanted = new Set(workspaceIds.map((id) => normalizeUuid(id)));
      if (wanted.has(undefined)) throw wrong("workspace_ids", "must be UUIDs");
      const workspaces = (await store.workspaces()).filter(({ id }) => wanted.size === 0 || wanted.has(id));
      const now = usTimestamp(nowUs());
      const described = workspaces.map((workspace) => workspaceMessage(store, workspace, factsOf, withApps));
      return { workspaces: await Promise.all(described), now };
    },

    async defineWorkspaces({ workspaces }) {
      const agents = await conflictsTold(() => store.define(workspaces.map(definitionOf)));
      const names = new Set(agents.map(({ owner, workspace }) => `${owner}\n${workspace}`));
      for (const workspace of await store.workspaces()) {
        if (names.has(`${workspace.ownerUsername}\n${workspace.name}`)) changed(workspace);
      }
      return { agents };
    },

    async deleteWorkspace({ workspaceId }) {
      const workspace = await existing(store, workspaceId);
      await store.deleteWorkspace(workspace.id);
      changed(workspace);
      return {};
    },

    async createBuild({ workspaceId, transition: text }) {
      const workspace = await existing(store, workspaceId);
      const transition = transitions.find((one) => one === (text || "start"));
      if (transition === undefined) throw wrong("transition", `must be one of ${transitions.join(", ")}`);
      const build = await conflictsTold(() => store.newBuild(workspace.id, { transition }));
      changed(workspace);
      return { build: buildMessage(build) };
    },

    async claimWorkspace({ workspaceId, owner, name }) {
      if (owner === "") throw wrong("owner", "must not be empty");
      if (name === "") throw wrong("name", "must not be empty");
      const before = await existing(store, workspaceId);
      const { build } = await conflictsTold(() => claimWorkspace({ store, events }, before, owner, name));
      return { build: buildMessage(build) };
    },

    async setSecret({ owner, name, remove, envName, filePath, value }) {
      if (name === "") throw wrong("name", "must not be empty");
      await conflictsTold(() =>
        store.setSecret(owner, name, remove ? undefined : { envName, filePath, value }),
      );
      return {};
    },

    watchEvents: (request, { signal }) =>
      watchedEvents({ events, sessions, pingIntervalMs }, request, signal),
  };
}

async function workspaceMessage(
  store: ControlPlaneStore,
  workspace: WorkspaceRecord,
  factsOf: (agentId: string) => AgentFacts,
  withApps: boolean,
) {
  const [agents, builds] = await Promise.all([store.agents(workspace.id), store.builds(workspace.id)]);
  const { id, ownerUsername, name, ownerId, createdAtUs, lastUsedAtUs } = workspace;
  return {
    id,
    owner: ownerUsername,
    ownerId,
    name,
    isPrebuilt: ownerId === prebuildsOwnerId,
    createdAt: usTimestamp(createdAtUs),
    ...timeAt("lastUsedAt", lastUsedAtUs),
    ...(builds === undefined ? {} : { latestBuild: buildMessage(builds.latest) }),
    agents: await Promise.all(
      agents.map(async (agent) => ({
        ...agentMessage(agent, factsOf(agent.id)),
        apps: withApps ? await appMessages(store, agent.id) : [],
      })),
    ),
  };
}

async function appMessages(store: ControlPlaneStore, agentId: string) {
  const apps = await store.apps(agentId);
  if (apps.length === 0) return [];
  const statuses = await store.appStatuses({ agentId }, statusesForApps);
  return apps.map((app) => appMessage(app, statuses));
}

function buildMessage({ id, number, transition, job, createdAtUs }: BuildRecord) {
  return {
    id,
    number,
    transition,
    jobStatus: job.status,
    jobError: job.error,
    createdAt: usTimestamp(createdAtUs),
  };
}

async function existing(store: ControlPlaneStore, workspaceId: string): Promise<WorkspaceRecord> {
  const id = normalizeUuid(workspaceId);
  if (id === undefined) throw wrong("workspace_id", "must be a UUID");
  const workspace = await store.workspace(id);
  if (workspace === undefined) throw new ConnectError(`there is no workspace ${id}`, Code.NotFound);
  return workspace;
}

async function conflictsTold<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof StoreConflict) throw new ConnectError(error.message, Code.FailedPrecondition);
    throw error;
  }
}
