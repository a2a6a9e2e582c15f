import { sql } from "kysely";
import { byText } from "../by-text.js";
import type {
  AgentRecord,
  BuildRecord,
  LifecycleState,
  ResourceMonitors,
  SecretRecord,
  WorkspaceRecord,
} from "../records.js";
import type { ConnectionUpdate, ManifestRecords, MetadataUpdate } from "../store.js";
import { text } from "./columns.js";
import type { Database } from "./database.js";
import type { Queries } from "./engine.js";
import { lastOfEach, pieces, valuesTable } from "./rows.js";
import {
  agentColumns,
  appColumns,
  buildColumns,
  devcontainerColumns,
  metadataColumns,
  monitorColumns,
  scriptColumns,
  secretColumns,
  type TargetMonitor,
  workspaceColumns,
} from "./tables.js";

// ---- who is it ----

/** The agents that a column has a value for; those of workspaces themselves by their place, all others by their age. */
export async function agentsWith(
  db: Queries,
  column: "id" | "workspaceId" | "buildId" | "parentId",
  value: string,
): Promise<AgentRecord[]> {
  const rows = await db
    .selectFrom("agents")
    .selectAll()
    .where(column, "=", value)
    .orderBy("createdAtUs")
    .orderBy("position")
    .orderBy("id")
    .execute();
  return rows.map(agentColumns.toRecord);
}

/** The agents that may connect and that a column has a value for: not those of a workspace that is stopped. */
export async function connectableAgents(
  db: Queries,
  column: "authToken" | "instanceId",
  value: string,
): Promise<AgentRecord[]> {
  const rows = await db
    .selectFrom("agents")
    .selectAll("agents")
    .innerJoin("builds", "builds.id", "agents.buildId")
    .where(`agents.${column}`, "=", value)
    .where("builds.transition", "=", "start")
    .orderBy("agents.createdAtUs")
    .orderBy("agents.position")
    .orderBy("agents.id")
    .execute();
  return rows.map(agentColumns.toRecord);
}

/** A workspace by its id. */
export async function workspaceById(db: Queries, id: string): Promise<WorkspaceRecord | undefined> {
  const row = await db.selectFrom("workspaces").selectAll().where("id", "=", id).executeTakeFirst();
  return row && workspaceColumns.toRecord(row);
}

/** The builds with the least and the greatest number. S2.8. */
export async function firstAndLatestBuild(
  db: Queries,
  workspaceId: string,
): Promise<{ first: BuildRecord; latest: BuildRecord } | undefined> {
  const rows = await db
    .selectFrom("builds")
    .selectAll()
    .where("workspaceId", "=", workspaceId)
    .where((eb) =>
      eb.or(
        (["min", "max"] as const).map((extreme) =>
          eb(
            "number",
            "=",
            eb
              .selectFrom("builds as other")
              .where("other.workspaceId", "=", workspaceId)
              .select((of) => of.fn[extreme]("other.number").as("number")),
          ),
        ),
      ),
    )
    .orderBy("number")
    .execute();
  const [first, latest = first] = rows.map((row) => buildColumns.toRecord(row));
  return first === undefined || latest === undefined ? undefined : { first, latest };
}

/** The ids of the latest builds of workspaces, by workspace. S2.8. */
export async function latestBuildIdsOf(
  db: Queries,
  workspaceIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  for (const part of pieces([...new Set(workspaceIds)].map((id) => ({ id })))) {
    const wanted = part.map(({ id }) => id);
    const rows = await db
      .selectFrom("builds")
      .select(["workspaceId", "id"])
      .where("workspaceId", "in", wanted)
      .where("number", "=", (eb) =>
        eb
          .selectFrom("builds as other")
          .whereRef("other.workspaceId", "=", "builds.workspaceId")
          .select((of) => of.fn.max("other.number").as("number")),
      )
      .execute();
    for (const { workspaceId, id } of rows) ids.set(String(workspaceId), String(id));
  }
  return ids;
}

// ---- what it is told ----

/** What an agent gets as its manifest, sorted as the store promises. */
export async function manifestRecordsOf(db: Queries, agentId: string): Promise<ManifestRecords> {
  const [apps, scripts, metadata, devcontainers] = await Promise.all([
    db.selectFrom("apps").selectAll().where("agentId", "=", agentId).execute(),
    db.selectFrom("scripts").selectAll().where("agentId", "=", agentId).execute(),
    db.selectFrom("metadata").selectAll().where("agentId", "=", agentId).execute(),
    db.selectFrom("devcontainers").selectAll().where("agentId", "=", agentId).orderBy("position").execute(),
  ]);
  const metadataRecords = metadata.map((row) => metadataColumns.toRecord(row));
  return {
    apps: byText(
      apps.map((row) => appColumns.toRecord(row)),
      ({ slug }) => slug,
    ),
    scripts: byText(
      scripts.map((row) => scriptColumns.toRecord(row)),
      ({ id }) => id,
    ),
    metadata: byText(metadataRecords, ({ key }) => key).sort((a, b) => a.displayOrder - b.displayOrder),
    devcontainers: devcontainers.map((row) => devcontainerColumns.toRecord(row)),
  };
}

/** A user's secrets, by name. */
export async function secretsOf(db: Queries, ownerId: string): Promise<SecretRecord[]> {
  const rows = await db.selectFrom("secrets").selectAll().where("ownerId", "=", ownerId).execute();
  const secrets = rows.map((row): SecretRecord => {
    const { ownerId: _owner, ...secret } = secretColumns.toRecord(row);
    return secret;
  });
  return byText(secrets, ({ name }) => name);
}

/** What of its machine an agent is to watch. */
export async function monitorsOf(db: Queries, agentId: string): Promise<ResourceMonitors> {
  const rows = await db
    .selectFrom("monitors")
    .selectAll()
    .where("agentId", "=", agentId)
    .orderBy("position")
    .execute();
  return monitorsFrom(rows.map((row) => monitorColumns.toRecord(row)));
}

/** The same from its rows, which are in their places. */
export function monitorsFrom(monitors: readonly TargetMonitor[]): ResourceMonitors {
  const watched = ({ enabled, thresholdPercent, state, debouncedUntilUs }: TargetMonitor) => {
    return { enabled, thresholdPercent, state, debouncedUntilUs };
  };
  const memory = monitors.find(({ target }) => target === "memory");
  const volumes = monitors.filter(({ target }) => target === "volume");
  return {
    memory: memory && watched(memory),
    volumes: volumes.map((monitor) => ({ path: monitor.path, ...watched(monitor) })),
  };
}

// ---- what it reports of itself ----

/**
 * In a transaction: locks agents in the order in which all do, so that no two servers wait for each other. How a
 * statement that changes many rows takes them, is the database's choice.
 */
async function lockAgents(database: Database, db: Queries, ids: Iterable<string>): Promise<void> {
  if (!database.engine.hasRowLocks) return;
  const wanted = [...new Set(ids)];
  await db
    .selectFrom("agents")
    .select("id")
    .where("id", "in", wanted)
    .orderBy("id")
    .forNoKeyUpdate()
    .execute();
}

/** More go in several statements, which have a limit of their parameters. */
const updatesAtOnce = 1000;

/** In a transaction. */
export async function updateConnections(
  database: Database,
  db: Queries,
  updates: readonly ConnectionUpdate[],
): Promise<void> {
  const latest = lastOfEach(updates, ({ agentId }) => agentId);
  for (let i = 0; i < latest.length; i += updatesAtOnce) {
    await updateSomeConnections(database, db, latest.slice(i, i + updatesAtOnce));
  }
}

async function updateSomeConnections(
  database: Database,
  db: Queries,
  updates: readonly ConnectionUpdate[],
): Promise<void> {
  const rows = updates.map((update) => [
    update.agentId,
    update.firstConnectedAtUs ?? null,
    update.lastConnectedAtUs ?? null,
    update.disconnectedAtUs ?? null,
    update.lastReplicaId ?? null,
  ]);
  const ids = updates.map(({ agentId }) => agentId);
  if (ids.length > 1) await lockAgents(database, db, ids);
  await sql`update agents set
    first_connected_at_us = cast(seen.column2 as bigint),
    last_connected_at_us = cast(seen.column3 as bigint),
    disconnected_at_us = cast(seen.column4 as bigint),
    last_replica_id = seen.column5
    from ${valuesTable(rows)} as seen where agents.id = seen.column1`.execute(db);
}

/** Where an agent is in its life. S3.37. */
export async function updateLifecycle(
  db: Queries,
  agentId: string,
  change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
): Promise<void> {
  const { state, startedAtUs = null, readyAtUs = null } = change;
  const row = { lifecycleState: state, startedAtUs, readyAtUs };
  await db.updateTable("agents").set(row).where("id", "=", agentId).execute();
}

/** What an agent said of itself when it started. S3.39. */
export async function updateStartup(
  db: Queries,
  agentId: string,
  startup: Pick<AgentRecord, "version" | "apiVersion" | "expandedDirectory" | "subsystems">,
): Promise<void> {
  const row = {
    version: text.toSql(startup.version),
    apiVersion: text.toSql(startup.apiVersion),
    expandedDirectory: text.toSql(startup.expandedDirectory),
    subsystems: JSON.stringify(startup.subsystems),
  };
  await db.updateTable("agents").set(row).where("id", "=", agentId).execute();
}

/** In a transaction. */
export async function updateMetadata(
  database: Database,
  db: Queries,
  updates: readonly MetadataUpdate[],
): Promise<void> {
  const latest = lastOfEach(updates, ({ agentId, key }) => `${agentId} ${key}`);
  for (let i = 0; i < latest.length; i += updatesAtOnce) {
    const some = latest.slice(i, i + updatesAtOnce);
    await lockAgents(
      database,
      db,
      some.map(({ agentId }) => agentId),
    );
    const rows = some.map(({ agentId, key, value, error, collectedAtUs }) => {
      return [agentId, key, text.toSql(value), text.toSql(error), collectedAtUs];
    });
    await sql`update metadata set
      value = sent.column3, error = sent.column4, collected_at_us = cast(sent.column5 as bigint)
      from ${valuesTable(rows)} as sent
      where metadata.agent_id = sent.column1 and metadata.key = sent.column2`.execute(db);
  }
}

/** State and debounce of what is watched. S3.72. */
export async function updateMonitors(
  db: Queries,
  agentId: string,
  { memory, volumes }: ResourceMonitors,
): Promise<void> {
  // of a path that is there twice, the first counts
  const firstOfEach = lastOfEach([...volumes].reverse(), ({ path }) => path);
  const rows = firstOfEach.map((volume) => [
    "volume",
    volume.path,
    volume.state,
    volume.debouncedUntilUs ?? null,
  ]);
  if (memory !== undefined) rows.push(["memory", "", memory.state, memory.debouncedUntilUs ?? null]);
  if (rows.length === 0) return;
  await sql`update monitors set
    state = now.column3, debounced_until_us = cast(now.column4 as bigint)
    from ${valuesTable(rows)} as now
    where agent_id = ${agentId} and target = now.column1 and path = now.column2`.execute(db);
}

/** Workspaces that somebody has used. S3.31. */
export async function markUsed(db: Queries, workspaceIds: readonly string[], atUs: number): Promise<void> {
  if (workspaceIds.length === 0) return;
  const ids = [...new Set(workspaceIds)];
  await db.updateTable("workspaces").set({ lastUsedAtUs: atUs }).where("id", "in", ids).execute();
}
