import type { AgentStore, OwnedWorkspace } from "../../../store/index.js";
import { mayRead } from "../../http/users/access.js";
import type { ApiUser } from "../../http/users/api-user.js";
import type { KnownWorkspace, KnownWorkspaces } from "./difference.js";
import { workspaceStatus } from "./status.js";

/**
 * What an owner has now, as far as a user may read it. S4.33.
 * @throws whatever the store or the user's `mayRead` does.
 */
export async function readableWorkspaces(
  store: Pick<AgentStore, "ownedWorkspaces">,
  user: ApiUser,
  ownerId: string,
): Promise<KnownWorkspaces> {
  const owned = await store.ownedWorkspaces(ownerId);
  const readable = await Promise.all(owned.map((each) => readableWorkspace(user, each)));
  return new Map(
    readable.flatMap((workspace) => (workspace === undefined ? [] : [[workspace.id, workspace]])),
  );
}

async function readableWorkspace(
  user: ApiUser,
  { workspace, latestBuild, agents }: OwnedWorkspace,
): Promise<KnownWorkspace | undefined> {
  if (!(await mayRead(user, workspace, undefined))) return undefined;
  const readable = await Promise.all(
    agents.map(async (agent) => ((await mayRead(user, workspace, agent)) ? [agent] : [])),
  );
  return {
    id: workspace.id,
    name: workspace.name,
    status: workspaceStatus(latestBuild),
    agents: new Map(readable.flat().map(({ id, name }) => [id, name])),
  };
}
