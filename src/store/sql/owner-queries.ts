import { byText } from "../by-text.js";
import type { AgentRecord } from "../records.js";
import type { OwnedWorkspace } from "../store.js";
import type { Queries } from "./engine.js";
import { agentColumns, buildColumns, workspaceColumns } from "./tables.js";

/**
 * The workspaces of a user, by name, each with its latest build and the agents of that. Three statements, however many
 * there are; what happens between them is seen by none or by the later ones, and no agent stands beside another build
 * than its own.
 */
export async function ownedWorkspacesOf(db: Queries, ownerId: string): Promise<OwnedWorkspace[]> {
  const workspaces = await db.selectFrom("workspaces").selectAll().where("ownerId", "=", ownerId).execute();
  if (workspaces.length === 0) return [];
  const builds = await latestBuilds(db, ownerId).selectAll("builds").execute();
  const agents = await latestBuilds(db, ownerId)
    .innerJoin("agents", "agents.buildId", "builds.id")
    .selectAll("agents")
    .orderBy("agents.createdAtUs")
    .orderBy("agents.position")
    .orderBy("agents.id")
    .execute();
  const agentsByBuild = new Map<string, AgentRecord[]>();
  for (const row of agents) {
    const agent = agentColumns.toRecord(row);
    const others = agentsByBuild.get(agent.buildId);
    if (others === undefined) agentsByBuild.set(agent.buildId, [agent]);
    else others.push(agent);
  }
  const buildByWorkspace = new Map(
    builds.map((row) => {
      const build = buildColumns.toRecord(row);
      return [build.workspaceId, build];
    }),
  );
  const owned = workspaces.flatMap((row): OwnedWorkspace[] => {
    const workspace = workspaceColumns.toRecord(row);
    const latestBuild = buildByWorkspace.get(workspace.id);
    if (latestBuild === undefined) return [];
    return [{ workspace, latestBuild, agents: agentsByBuild.get(latestBuild.id) ?? [] }];
  });
  return byText(owned, ({ workspace }) => workspace.name);
}

/** The builds with the greatest number of each of a user's workspaces. */
function latestBuilds(db: Queries, ownerId: string) {
  return db
    .selectFrom("workspaces")
    .innerJoin("builds", "builds.workspaceId", "workspaces.id")
    .where("workspaces.ownerId", "=", ownerId)
    .where("builds.number", "=", (eb) =>
      eb
        .selectFrom("builds as other")
        .whereRef("other.workspaceId", "=", "builds.workspaceId")
        .select((of) => of.fn.max("other.number").as("number")),
    );
}
