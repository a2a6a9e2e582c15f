import { byText } from "../by-text.js";
import { checkDefinitions } from "../check-definition.js";
import type { NewBuild } from "../control-plane-store.js";
import type { DefinedAgent, WorkspaceDefinition } from "../definition.js";
import { type BuildRecord, prebuildsOwnerId, type SecretRecord, type WorkspaceRecord } from "../records.js";
import { StoreConflict } from "../store.js";
import { definedRows, rowsOfNextBuild, type WorkspaceRows } from "../workspace-rows.js";
import { workspaceById } from "./agent-queries.js";
import { deleteAgents } from "./app-queries.js";
import type { Database } from "./database.js";
import type { Queries } from "./engine.js";
import { pieces } from "./rows.js";
import { secretColumns, workspaceColumns } from "./tables.js";
import { insertBuild, readWorkspaceRows, releaseTokens, writeWorkspaceRows } from "./workspace-queries.js";

/** What a workspace is, and what it is to be. */
interface Change {
  before: WorkspaceRows | undefined;
  next: WorkspaceRows;
}

const sameToken = (name: string) => `two agents have the same token: ${name} is the second`;

/** Declares workspaces. @throws StoreConflict when something is there twice; nothing is changed then. */
export async function define(
  database: Database,
  definitions: readonly WorkspaceDefinition[],
): Promise<DefinedAgent[]> {
  checkDefinitions(definitions);
  const changes = await database.transaction(
    "store definitions",
    async (db) => {
      const planned = await plan(database, db, definitions);
      await checkTokens(db, planned);
      await releaseTokens(db, planned);
      await database.unlessTwin(
        "agents_name",
        "an agent that an agent has made has the same name",
        async () => {
          for (const { before, next } of planned) await writeWorkspaceRows(database, db, before, next);
        },
      );
      return planned;
    },
    "definitions",
  );
  return changes.flatMap(({ next: { workspace, agents } }) =>
    agents.map(({ agent }) => ({
      workspace: workspace.name,
      owner: workspace.ownerUsername,
      ownerId: workspace.ownerId,
      agent: agent.name,
      id: agent.id,
      token: agent.authToken,
    })),
  );
}

async function plan(
  database: Database,
  db: Queries,
  definitions: readonly WorkspaceDefinition[],
): Promise<Change[]> {
  const nowUs = Date.now() * 1000;
  const ownerIds = new Map<string, string>();
  const changes: Change[] = [];
  for (const definition of definitions) {
    const { owner, name, isPrebuilt = false } = definition;
    const ownerId = ownerIds.get(owner) ?? (await ownerIdOf(db, owner)) ?? crypto.randomUUID();
    ownerIds.set(owner, ownerId);
    const workspace = await workspaceNamed(db, isPrebuilt ? "prebuilds" : owner, name);
    const before = workspace && (await readWorkspaceRows(database, db, workspace));
    changes.push({ before, next: definedRows(before, definition, { ownerId, nowUs }) });
  }
  return changes;
}

/** @throws StoreConflict when two agents would have the same token. */
async function checkTokens(db: Queries, changes: readonly Change[]): Promise<void> {
  const planned = new Set(changes.map(({ next }) => next.workspace.id));
  const agents = changes.flatMap(({ next }) => next.agents.map(({ agent }) => agent));
  const taken = new Set<string>();
  for (const part of pieces(agents.map(({ authToken }) => ({ authToken })))) {
    const tokens = part.map(({ authToken }) => authToken);
    const holders = await db
      .selectFrom("agents")
      .select(["authToken", "workspaceId", "parentId"])
      .where("authToken", "in", tokens)
      .execute();
    for (const { authToken, workspaceId, parentId } of holders) {
      // those of the workspaces themselves are replaced
      if (parentId !== null || !planned.has(String(workspaceId))) taken.add(String(authToken));
    }
  }
  for (const { authToken, name } of agents) {
    if (taken.has(authToken)) throw new StoreConflict(sameToken(name));
    taken.add(authToken);
  }
}

/** Records a build, and what follows from it. @throws StoreConflict when there is no such workspace. S9.1. */
export async function newBuild(
  database: Database,
  workspaceId: string,
  { transition, job, initiatorId }: NewBuild,
): Promise<BuildRecord> {
  return await database.transaction(
    "store a build",
    async (db) => {
      const workspace = await existingWorkspace(db, workspaceId);
      return await addBuild(database, db, workspace, {
        transition,
        job: job ?? { status: "succeeded", error: "" },
        initiatorId: initiatorId ?? workspace.ownerId,
        isClaim: false,
      });
    },
    "definitions",
  );
}

/** Gives a prebuilt workspace to its owner. @throws StoreConflict when it cannot be had. S3.4. */
export async function claim(
  database: Database,
  workspaceId: string,
  owner: string,
  name: string,
): Promise<BuildRecord> {
  return await database.transaction(
    "claim a workspace",
    async (db) => {
      const workspace = await existingWorkspace(db, workspaceId);
      if (workspace.ownerId !== prebuildsOwnerId) {
        throw new StoreConflict("the workspace belongs to somebody already");
      }
      if ((await workspaceNamed(db, owner, name)) !== undefined) {
        throw new StoreConflict(`${owner} has a workspace "${name}" already`);
      }
      const ownerId = (await ownerIdOf(db, owner)) ?? crypto.randomUUID();
      const claimed = { ownerId, ownerUsername: owner, name };
      await db.updateTable("workspaces").set(claimed).where("id", "=", workspaceId).execute();
      return await addBuild(
        database,
        db,
        { ...workspace, ...claimed },
        {
          transition: "start",
          job: { status: "succeeded", error: "" },
          initiatorId: ownerId,
          isClaim: true,
        },
      );
    },
    "definitions",
  );
}

async function addBuild(
  database: Database,
  db: Queries,
  workspace: WorkspaceRecord,
  facts: Pick<BuildRecord, "transition" | "job" | "initiatorId" | "isClaim">,
): Promise<BuildRecord> {
  const current = await readWorkspaceRows(database, db, workspace);
  const nowUs = Date.now() * 1000;
  const build: BuildRecord = {
    id: crypto.randomUUID(),
    workspaceId: workspace.id,
    number: (current?.build.number ?? 0) + 1,
    templateVersionId: current?.build.templateVersionId ?? workspace.id,
    createdAtUs: nowUs,
    ...facts,
  };
  if (build.job.status !== "succeeded" || current === undefined) {
    await insertBuild(db, build);
    return build;
  }
  const rows = rowsOfNextBuild(current, build, nowUs);
  await writeWorkspaceRows(database, db, current, rows);
  return build;
}

/** A workspace goes with all that belongs to it. */
export async function deleteWorkspace(database: Database, id: string): Promise<void> {
  await database.transaction(
    "delete a workspace",
    async (db) => {
      const agents = await db.selectFrom("agents").select("id").where("workspaceId", "=", id).execute();
      await deleteAgents(
        database,
        db,
        agents.map((agent) => String(agent.id)),
      );
      await db.deleteFrom("workspaces").where("id", "=", id).execute();
      // nobody could reach the secrets of an owner who has no workspace left
      const owners = db.selectFrom("workspaces").select("ownerId");
      await db.deleteFrom("secrets").where("ownerId", "not in", owners).execute();
    },
    "definitions",
  );
}

/** Sets or removes a secret. @throws StoreConflict when the owner has no workspace. */
export async function setSecret(
  database: Database,
  owner: string,
  name: string,
  secret: Omit<SecretRecord, "name"> | undefined,
): Promise<void> {
  await database.transaction(
    "store a secret",
    async (db) => {
      const ownerId = await ownerIdOf(db, owner);
      if (ownerId === undefined) throw new StoreConflict(`${owner} has no workspace`);
      if (secret === undefined) {
        await db.deleteFrom("secrets").where("ownerId", "=", ownerId).where("name", "=", name).execute();
        return;
      }
      const row = secretColumns.toRow({ ownerId, name, ...secret });
      const { envName, filePath, value } = row;
      await db
        .insertInto("secrets")
        .values(row)
        .onConflict((conflict) =>
          conflict.columns(["ownerId", "name"]).doUpdateSet({ envName, filePath, value }),
        )
        .execute();
    },
    "definitions",
  );
}

/** All workspaces, by owner and name. */
export async function allWorkspaces(db: Queries): Promise<WorkspaceRecord[]> {
  const rows = await db.selectFrom("workspaces").selectAll().execute();
  const workspaces = rows.map((row) => workspaceColumns.toRecord(row));
  return byText(workspaces, ({ ownerUsername, name }) => `${ownerUsername}\n${name}`);
}

async function existingWorkspace(db: Queries, id: string): Promise<WorkspaceRecord> {
  const workspace = await workspaceById(db, id);
  if (workspace === undefined) throw new StoreConflict(`there is no workspace ${id}`);
  return workspace;
}

async function workspaceNamed(
  db: Queries,
  owner: string,
  name: string,
): Promise<WorkspaceRecord | undefined> {
  const row = await db
    .selectFrom("workspaces")
    .selectAll()
    .where("ownerUsername", "=", owner)
    .where("name", "=", name)
    .executeTakeFirst();
  return row && workspaceColumns.toRecord(row);
}

async function ownerIdOf(db: Queries, username: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("workspaces")
    .select("ownerId")
    .where("ownerUsername", "=", username)
    .limit(1)
    .executeTakeFirst();
  return row && String(row.ownerId);
}
