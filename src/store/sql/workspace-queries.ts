import { byText } from "../by-text.js";
import type { BuildRecord, WorkspaceRecord } from "../records.js";
import type { AgentRows, WorkspaceRows } from "../workspace-rows.js";
import { monitorsFrom } from "./agent-queries.js";
import { deleteAgents } from "./app-queries.js";
import type { Row } from "./columns.js";
import type { Database } from "./database.js";
import type { Queries } from "./engine.js";
import { pieces } from "./rows.js";
import {
  agentColumns,
  appColumns,
  buildColumns,
  devcontainerColumns,
  logSourceColumns,
  metadataColumns,
  monitorColumns,
  scriptColumns,
  type TargetMonitor,
  workspaceColumns,
} from "./tables.js";

/** What belongs to an agent by its declaration; each has one more column by which siblings differ. */
const childTables = {
  apps: "id",
  scripts: "id",
  metadata: "key",
  devcontainers: "id",
  logSources: "id",
  monitors: "position",
} as const;
type ChildTable = keyof typeof childTables;

type ChildRow = Row<{ agentId: string }> & Readonly<Record<string, unknown>>;

/** An agent and all that belongs to it, as rows. */
type EncodedAgent = { agent: Readonly<Record<string, unknown>> } & Record<ChildTable, ChildRow[]>;

/** What a workspace is now. Rows that may be changed next are locked, so that what agents report meanwhile waits. */
export async function readWorkspaceRows(
  database: Database,
  db: Queries,
  workspace: WorkspaceRecord,
): Promise<WorkspaceRows | undefined> {
  const build = await db
    .selectFrom("builds")
    .selectAll()
    .where("workspaceId", "=", workspace.id)
    .orderBy("number", "desc")
    .limit(1)
    .executeTakeFirst();
  if (build === undefined) return undefined;
  const rows = await db
    .selectFrom("agents")
    .selectAll()
    .where("workspaceId", "=", workspace.id)
    .where("parentId", "is", null)
    // the order in which all lock agents
    .orderBy("id")
    .$if(database.engine.hasRowLocks, (query) => query.forUpdate())
    .execute();
  rows.sort((a, b) => Number(a.position) - Number(b.position));
  const agents: AgentRows[] = [];
  for (const row of rows) agents.push(await readAgentRows(database, db, agentColumns.toRecord(row)));
  return { workspace, build: buildColumns.toRecord(build), agents };
}

async function readAgentRows(database: Database, db: Queries, agent: AgentRows["agent"]): Promise<AgentRows> {
  const children = (table: ChildTable) =>
    db
      .selectFrom(table)
      .selectAll()
      .where("agentId", "=", agent.id)
      .$if(database.engine.hasRowLocks, (query) => query.forUpdate())
      .execute() as Promise<unknown[]>;
  const placed = async (table: "devcontainers" | "monitors") => {
    const rows = (await children(table)) as { position: unknown }[];
    return rows.sort((a, b) => Number(a.position) - Number(b.position)) as unknown[];
  };
  return {
    agent,
    apps: (await children("apps")).map((row) => appColumns.toRecord(row as never)),
    scripts: (await children("scripts")).map((row) => scriptColumns.toRecord(row as never)),
    metadata: (await children("metadata")).map((row) => metadataColumns.toRecord(row as never)),
    devcontainers: (await placed("devcontainers")).map((row) => devcontainerColumns.toRecord(row as never)),
    logSources: (await children("logSources")).map((row) => logSourceColumns.toRecord(row as never)),
    monitors: monitorsFrom((await placed("monitors")).map((row) => monitorColumns.toRecord(row as never))),
  };
}

/** Makes a workspace what it is to be. What is the same already is not written. */
export async function writeWorkspaceRows(
  database: Database,
  db: Queries,
  before: WorkspaceRows | undefined,
  next: WorkspaceRows,
): Promise<void> {
  if (before === undefined) {
    await db.insertInto("workspaces").values(workspaceColumns.toRow(next.workspace)).execute();
  } else {
    // nothing else changes by a declaration or a build
    const { task } = workspaceColumns.toRow(next.workspace);
    const isSame = task === workspaceColumns.toRow(before.workspace).task;
    if (!isSame)
      await db.updateTable("workspaces").set({ task }).where("id", "=", next.workspace.id).execute();
  }
  if (before?.build.id !== next.build.id) await insertBuild(db, next.build);
  const kept = new Set(next.agents.map(({ agent }) => agent.id));
  const gone = (before?.agents ?? []).map(({ agent }) => agent.id).filter((id) => !kept.has(id));
  await deleteAgents(database, db, gone);
  for (const [position, rows] of next.agents.entries()) {
    const at = before?.agents.findIndex(({ agent }) => agent.id === rows.agent.id) ?? -1;
    const known = before?.agents[at];
    const encoded = encode(rows, position);
    if (known !== undefined && sameText(encode(known, at), encoded)) continue;
    await writeAgentRows(db, known === undefined, encoded);
  }
}

/** Tokens that change are set aside, so that agents can exchange theirs. */
export async function releaseTokens(
  db: Queries,
  changes: readonly { before: WorkspaceRows | undefined; next: WorkspaceRows }[],
): Promise<void> {
  for (const { before, next } of changes) {
    for (const { agent } of next.agents) {
      const known = before?.agents.find((rows) => rows.agent.id === agent.id);
      if (known === undefined || known.agent.authToken === agent.authToken) continue;
      const aside = `replaced ${agent.id}`;
      await db.updateTable("agents").set({ authToken: aside }).where("id", "=", agent.id).execute();
    }
  }
}

/** Adds a build, which is the latest then. */
export async function insertBuild(db: Queries, build: BuildRecord): Promise<void> {
  await db.insertInto("builds").values(buildColumns.toRow(build)).execute();
}

function encode(
  { agent, apps, scripts, metadata, devcontainers, logSources, monitors }: AgentRows,
  position: number,
): EncodedAgent {
  const agentId = agent.id;
  const { memory, volumes } = monitors;
  const watched: TargetMonitor[] = volumes.map((volume) => ({ agentId, target: "volume", ...volume }));
  // the memory comes first, so that volumes keep their places when it is watched no more
  const places = watched.map((monitor, i) => ({ ...monitorColumns.toRow(monitor), position: i + 1 }));
  if (memory !== undefined) {
    places.unshift({
      ...monitorColumns.toRow({ agentId, target: "memory", path: "", ...memory }),
      position: 0,
    });
  }
  return {
    agent: { ...agentColumns.toRow(agent), position },
    apps: apps.map((row) => appColumns.toRow(row)),
    scripts: scripts.map((row) => scriptColumns.toRow(row)),
    metadata: metadata.map((row) => metadataColumns.toRow(row)),
    devcontainers: devcontainers.map((row, i) => ({ ...devcontainerColumns.toRow(row), position: i })),
    logSources: logSources.map((row) => logSourceColumns.toRow(row)),
    monitors: places,
  };
}

function sameText(one: EncodedAgent, other: EncodedAgent): boolean {
  const textOf = (agent: EncodedAgent) =>
    JSON.stringify([
      agent.agent,
      ...eachTable().map((table) =>
        byText(
          agent[table].map((row) => JSON.stringify(row)),
          (row) => row,
        ),
      ),
    ]);
  return textOf(one) === textOf(other);
}

function eachTable(): ChildTable[] {
  return Object.keys(childTables) as ChildTable[];
}

async function writeAgentRows(db: Queries, isNew: boolean, encoded: EncodedAgent): Promise<void> {
  const { id, ...change } = encoded.agent;
  if (isNew)
    await db
      .insertInto("agents")
      .values(encoded.agent as never)
      .execute();
  else
    await db
      .updateTable("agents")
      .set(change as never)
      .where("id", "=", String(id))
      .execute();
  for (const table of eachTable()) await writeChildren(db, table, String(id), encoded[table]);
}

/** Not deleted and inserted again: what an agent reports of a row meanwhile would be lost with it. */
async function writeChildren(
  db: Queries,
  name: ChildTable,
  agentId: string,
  rows: ChildRow[],
): Promise<void> {
  // one of the tables stands for all: what is used of them, they all have
  const table = name as "apps";
  const key = childTables[name] as "id";
  const kept = rows.map((row) => row[key]) as string[];
  let gone = db.deleteFrom(table).where("agentId", "=", agentId);
  if (kept.length > 0) gone = gone.where(key, "not in", kept);
  await gone.execute();
  const identity = name === "logSources" || key !== "id" ? (["agentId", key] as const) : (["id"] as const);
  for (const part of pieces(rows)) {
    const names = Object.keys(part[0] ?? {}) as ["id"];
    await db
      .insertInto(table)
      .values(part as never)
      .onConflict((conflict) =>
        conflict
          .columns(identity)
          .doUpdateSet((eb) =>
            Object.fromEntries(names.map((column) => [column, eb.ref(`excluded.${column}`)])),
          ),
      )
      .execute();
  }
}
