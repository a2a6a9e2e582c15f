import { sql } from "kysely";
import { byText } from "../by-text.js";
import type { AgentRecord, AppHealth, AppRecord, AppStatusRecord } from "../records.js";
import type { Database } from "./database.js";
import type { Queries } from "./engine.js";
import { agentColumns, appColumns, appStatusColumns } from "./tables.js";

/** An agent's apps, by slug. */
export async function appsOf(db: Queries, agentId: string): Promise<AppRecord[]> {
  const rows = await db.selectFrom("apps").selectAll().where("agentId", "=", agentId).execute();
  return byText(
    rows.map((row) => appColumns.toRecord(row)),
    ({ slug }) => slug,
  );
}

/** What an app's health check says. */
export async function updateAppHealth(db: Queries, appId: string, health: AppHealth): Promise<void> {
  await db.updateTable("apps").set({ health }).where("id", "=", appId).execute();
}

/** What an app said of itself; of an agent that is gone, nothing is kept. */
export async function insertAppStatus(database: Database, status: AppStatusRecord): Promise<void> {
  const row = appStatusColumns.toRow(status);
  await database.run("store an app's status", (db) =>
    database.ifThere(() => db.insertInto("appStatuses").values(row).execute()),
  );
}

/** Statuses, the newest first. */
export async function appStatusesOf(
  db: Queries,
  of: { workspaceId: string } | { agentId: string } | { appId: string },
  limit: number,
): Promise<AppStatusRecord[]> {
  const all = db.selectFrom("appStatuses").selectAll();
  const wanted =
    "workspaceId" in of
      ? all.where("workspaceId", "=", of.workspaceId)
      : "agentId" in of
        ? all.where("agentId", "=", of.agentId)
        : all.where("appId", "=", of.appId);
  const rows = await wanted.orderBy("createdAtUs", "desc").orderBy("id", "desc").limit(limit).execute();
  return rows.map((row) => appStatusColumns.toRecord(row));
}

// ---- sub-agents ----

/** An agent that an agent made. @throws StoreConflict when the build has the name. S3.94. */
export async function insertSubAgent(database: Database, agent: AgentRecord): Promise<void> {
  const { name, parentId } = agent;
  const row = { ...agentColumns.toRow(agent), position: 0 };
  const conflict = `workspace agent name "${name}" already exists in this workspace build`;
  await database.transaction("store a sub-agent", async (db) => {
    if (parentId !== undefined) {
      // a parent that is being deleted takes no more: the token of its new agent would never end
      const parent = await db
        .selectFrom("agents")
        .select("id")
        .where("id", "=", parentId)
        .$if(database.engine.hasRowLocks, (query) => query.forKeyShare())
        .executeTakeFirst();
      if (parent === undefined) return;
    }
    await database.unlessTwin("agents_name", conflict, () => db.insertInto("agents").values(row).execute());
  });
}

/** What a later declaration of a sub-agent changes. S3.93. */
export async function updateSubAgent(
  db: Queries,
  id: string,
  { displayApps, directory }: { displayApps: readonly string[]; directory: string | undefined },
): Promise<void> {
  const shown = { displayApps: JSON.stringify(displayApps) };
  const change = directory === undefined ? shown : { ...shown, directory };
  await db.updateTable("agents").set(change).where("id", "=", id).execute();
}

/** An app of an agent. @throws StoreConflict when the slug is taken. */
export async function insertApp(database: Database, app: AppRecord): Promise<void> {
  const row = appColumns.toRow(app);
  await database.run("store an app", (db) =>
    database.unlessTwin("apps_slug", `the agent has an app "${app.slug}" already`, () =>
      database.ifThere(() => db.insertInto("apps").values(row).execute()),
    ),
  );
}

/** In a transaction: agents, and those that they made. */
export async function deleteAgents(database: Database, db: Queries, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  // waits for agents that they are making just now, so that those are seen
  if (database.engine.hasRowLocks) {
    await db.selectFrom("agents").select("id").where("id", "in", ids).orderBy("id").forUpdate().execute();
  }
  await sql`with recursive gone (id) as (
      select agents.id from agents where agents.id in (${sql.join([...ids])})
      union select agents.id from agents inner join gone on agents.parent_id = gone.id
    ) delete from agents where id in (select id from gone)`.execute(db);
}
