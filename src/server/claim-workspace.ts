import type { BuildRecord, ControlPlaneStore, WorkspaceRecord } from "../store/index.js";
import type { Events } from "./events/index.js";
import { workspaceChanged } from "./workspace-changed.js";

/**
 * Gives a prebuilt workspace to a user, and tells its agent and all who follow workspaces.
 * @returns the build with which it is theirs, and the workspace as it is now.
 * @throws StoreConflict when it is not to be had, or the user has one of that name.
 */
export async function claimWorkspace(
  { store, events }: { store: ControlPlaneStore; events: Events },
  before: WorkspaceRecord,
  owner: string,
  name: string,
): Promise<{ build: BuildRecord; workspace: WorkspaceRecord }> {
  const build = await store.claim(before.id, owner, name);
  const workspace = (await store.workspace(before.id)) ?? before;
  // it is gone for the one, and there for the other
  workspaceChanged(events, before);
  workspaceChanged(events, workspace);
  const { id: workspaceId, ownerId } = workspace;
  events.publish({ topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" });
  return { build, workspace };
}
