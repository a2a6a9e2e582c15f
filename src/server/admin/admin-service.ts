import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { normalizeUuid } from "../../codec/index.js";
import type { AdminService } from "../../gen/agentwire/admin/v1/admin_pb.js";
import {
  type AgentRecord,
  type BuildRecord,
  type ControlPlaneStore,
  prebuildsOwnerId,
  StoreConflict,
  type WorkspaceRecord,
} from "../../store/index.js";
import type { Events } from "../events/index.js";
import { usTimestamp } from "../handlers/time.js";
import { definitionOf, wrong } from "./definitions.js";
import { EventQueue } from "./event-queue.js";

/** What the admin API works with. */
export interface AdminDeps {
  store: ControlPlaneStore;
  events: Events;
}

const transitions = ["start", "stop", "delete"] as const;

/** Handlers of `agentwire.admin.v1.AdminService`. Whoever mounts them checks who calls. */
export function adminService({ store, events }: AdminDeps): ServiceImpl<typeof AdminService> {
  const changed = ({ id: workspaceId, ownerId }: WorkspaceRecord) =>
    events.publish({ topic: "workspace", kind: "state_change", ownerId, workspaceId });

  return {
    async listWorkspaces() {
      const workspaces = await store.workspaces();
      return { workspaces: await Promise.all(workspaces.map((workspace) => described(store, workspace))) };
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
      const build = await conflictsTold(() => store.claim(before.id, owner, name));
      const after = await existing(store, before.id);
      // it is gone for the one, and there for the other
      changed(before);
      changed(after);
      const { id, ownerId } = after;
      events.publish({ topic: "claim", workspaceId: id, ownerId, reason: "prebuild_claimed" });
      return { build: buildMessage(build) };
    },

    async setSecret({ owner, name, remove, envName, filePath, value }) {
      if (name === "") throw wrong("name", "must not be empty");
      await conflictsTold(() =>
        store.setSecret(owner, name, remove ? undefined : { envName, filePath, value }),
      );
      return {};
    },

    async *watchEvents(_request, { signal }) {
      const queue = new EventQueue();
      const unsubscribe = await events.subscribe({ of: "workspaces" }, queue);
      try {
        for await (const event of queue.until(signal)) {
          if (event === "dropped") yield { dropped: true };
          else if (event.topic === "workspace") {
            const { kind, ownerId, workspaceId, agentId = "" } = event;
            yield { kind, ownerId, workspaceId, agentId };
          }
        }
      } finally {
        unsubscribe();
      }
    },
  };
}

async function described(store: ControlPlaneStore, workspace: WorkspaceRecord) {
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
    agents: agents.map(agentMessage),
  };
}

/** Without its token: that is shown once, to whoever declares it. */
function agentMessage(agent: AgentRecord) {
  const { id, name, parentId = "", lifecycleState, version, apiVersion, createdAtUs, connection } = agent;
  return {
    id,
    name,
    parentId,
    lifecycleState,
    version,
    apiVersion,
    createdAt: usTimestamp(createdAtUs),
    ...timeAt("firstConnectedAt", connection.firstConnectedAtUs),
    ...timeAt("lastConnectedAt", connection.lastConnectedAtUs),
    ...timeAt("disconnectedAt", connection.disconnectedAtUs),
  };
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

function timeAt<Name extends string>(name: Name, us: number | undefined) {
  if (us === undefined) return {};
  return { [name]: usTimestamp(us) } as Record<Name, ReturnType<typeof usTimestamp>>;
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
