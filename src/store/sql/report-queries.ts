import type { AgentReports } from "../control-plane-store.js";
import { mergedConnection } from "../merged-connection.js";
import type {
  BoundarySessionRecord,
  ConnectionLogRecord,
  ConnectionReport,
  ContextSnapshotRecord,
  ResourceSample,
} from "../records.js";
import type { ConnectionLogFilter } from "../store.js";
import type { Row } from "./columns.js";
import type { Database } from "./database.js";
import type { Queries } from "./engine.js";
import { pieces } from "./rows.js";
import {
  boundaryLogColumns,
  boundarySessionColumns,
  connectionColumns,
  contextColumns,
  sampleColumns,
  statsColumns,
  telemetryColumns,
} from "./tables.js";

/** Where rows are added that nobody changes. */
export type ReportTable = "stats" | "resourceSamples" | "boundaryLogs" | "telemetry";

type ReportRow = Row<{ agentId: string | undefined }>;

/** Agents may be deleted while their reports are written; after so many tries the rest is given up. */
const maxTries = 5;

/** Stores rows of agents that are there, or of none, and passes over others: all of them, or none. */
export async function insertReports(
  database: Database,
  table: ReportTable,
  rows: readonly ReportRow[],
): Promise<void> {
  const insertAll = (db: Queries) =>
    database.ifThere(async () => {
      const parts = pieces(rows);
      // each caller has made the rows of its table
      const insert = (on: Queries, part: unknown) =>
        on
          .insertInto(table)
          .values(part as never)
          .execute();
      if (parts.length === 1) return await insert(db, parts[0]);
      return await db.transaction().execute(async (transaction) => {
        for (const part of parts) await insert(transaction, part);
      });
    });
  await database.run("store reports", async (db) => {
    for (let tries = 1; rows.length > 0; tries++) {
      const stored = tries <= maxTries ? await insertAll(db) : true;
      if (stored !== undefined) return;
      rows = await ofKnownAgents(db, rows);
    }
  });
}

async function ofKnownAgents(db: Queries, rows: readonly ReportRow[]): Promise<ReportRow[]> {
  const ids = [...new Set(rows.map(({ agentId }) => agentId))].filter((id) => id !== null);
  const known = new Set<unknown>();
  for (const part of pieces(ids.map((id) => ({ id })))) {
    const wanted = part.map(({ id }) => id);
    const found = await db.selectFrom("agents").select("id").where("id", "in", wanted).execute();
    for (const { id } of found) known.add(id);
  }
  return rows.filter(({ agentId }) => agentId === null || known.has(agentId));
}

/** What an agent has sent, at most so many of each, newest last. */
export async function reportsOf(db: Queries, agentId: string, limit: number): Promise<AgentReports> {
  const latest = <T extends ReportTable>(table: T) =>
    db
      .selectFrom(table as ReportTable)
      .selectAll()
      .where("agentId", "=", agentId)
      .orderBy("entry", "desc")
      .limit(limit)
      .execute()
      .then((rows) => rows.reverse());
  const [stats, samples, boundaryLogs, telemetry] = await Promise.all([
    latest("stats"),
    latest("resourceSamples"),
    latest("boundaryLogs"),
    latest("telemetry"),
  ]);
  return {
    stats: stats.map((row) => statsColumns.toRecord(row as never)),
    resourceSamples: samples.map((row): ResourceSample => {
      const { agentId: _agent, ...sample } = sampleColumns.toRecord(row as never);
      return sample;
    }),
    boundaryLogs: boundaryLogs.map((row) => boundaryLogColumns.toRecord(row as never)),
    telemetry: telemetry.map((row) => telemetryColumns.toRecord(row as never)),
  };
}

/** A session that is there already stays as it is. S3.105. */
export async function insertBoundarySession(
  database: Database,
  session: BoundarySessionRecord,
): Promise<void> {
  const row = boundarySessionColumns.toRow(session);
  await database.run("store a boundary session", (db) =>
    database.ifThere(() =>
      db
        .insertInto("boundarySessions")
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    ),
  );
}

// ---- connections ----

/** In a transaction that alone writes connections: two servers may have reports of the same one. */
export async function insertConnectionReports(
  db: Queries,
  reports: readonly ConnectionReport[],
): Promise<void> {
  const keyOf = ({ connectionId, agentId }: { connectionId: string; agentId: string }) =>
    `${connectionId} ${agentId}`;
  const known = new Map<string, ConnectionLogRecord>();
  const ids = [...new Set(reports.map(({ connectionId }) => connectionId))];
  for (const part of pieces(ids.map((id) => ({ id })))) {
    const wanted = part.map(({ id }) => id);
    const rows = await db.selectFrom("connections").selectAll().where("connectionId", "in", wanted).execute();
    for (const row of rows)
      known.set(keyOf(connectionColumns.toRecord(row)), connectionColumns.toRecord(row));
  }
  const changed = new Map<string, ConnectionLogRecord>();
  for (const report of reports) {
    const key = keyOf(report);
    changed.set(key, mergedConnection(changed.get(key) ?? known.get(key), report));
  }
  const rows = [...changed.values()].map((record) => connectionColumns.toRow(record));
  for (const part of pieces(rows)) {
    await db
      .insertInto("connections")
      .values(part)
      .onConflict((conflict) =>
        conflict.columns(["connectionId", "agentId"]).doUpdateSet((eb) => ({
          ip: eb.ref("excluded.ip"),
          connectedAtUs: eb.ref("excluded.connectedAtUs"),
          disconnectedAtUs: eb.ref("excluded.disconnectedAtUs"),
          statusCode: eb.ref("excluded.statusCode"),
          reason: eb.ref("excluded.reason"),
        })),
      )
      .execute();
  }
}

/** Connections, the newest first. */
export async function connectionLogOf(
  db: Queries,
  filter: ConnectionLogFilter,
): Promise<ConnectionLogRecord[]> {
  const { workspaceId, agentId, type, sinceUs, untilUs, isOpen, offset = 0, limit } = filter;
  let query = db.selectFrom("connections").selectAll();
  if (workspaceId !== undefined) query = query.where("workspaceId", "=", workspaceId);
  if (agentId !== undefined) query = query.where("agentId", "=", agentId);
  if (type !== undefined) query = query.where("type", "=", type);
  if (sinceUs !== undefined) query = query.where("connectedAtUs", ">=", sinceUs);
  if (untilUs !== undefined) query = query.where("connectedAtUs", "<", untilUs);
  if (isOpen !== undefined) query = query.where("disconnectedAtUs", isOpen ? "is" : "is not", null);
  const rows = await query
    .orderBy("connectedAtUs", "desc")
    .orderBy("id", "desc")
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.map((row) => connectionColumns.toRecord(row));
}

// ---- context ----

/** One statement decides and writes, so that of pushes at the same time exactly the newest stays. S3.111. */
export async function replaceContext(
  database: Database,
  snapshot: ContextSnapshotRecord,
  isInitial: boolean,
): Promise<boolean> {
  const row = contextColumns.toRow(snapshot);
  const written = await database.run("store a context", (db) =>
    database.ifThere(() =>
      db
        .insertInto("contexts")
        .values(row)
        .onConflict((conflict) => {
          const replacing = conflict.column("agentId").doUpdateSet((eb) => ({
            version: eb.ref("excluded.version"),
            aggregateHash: eb.ref("excluded.aggregateHash"),
            snapshotError: eb.ref("excluded.snapshotError"),
            receivedAtUs: eb.ref("excluded.receivedAtUs"),
            resources: eb.ref("excluded.resources"),
          }));
          return isInitial ? replacing : replacing.whereRef("excluded.version", ">", "contexts.version");
        })
        .returning("agentId")
        .executeTakeFirst(),
    ),
  );
  return written !== undefined;
}

/** The latest context of an agent. */
export async function contextOf(db: Queries, agentId: string): Promise<ContextSnapshotRecord | undefined> {
  const row = await db.selectFrom("contexts").selectAll().where("agentId", "=", agentId).executeTakeFirst();
  return row && contextColumns.toRecord(row);
}
