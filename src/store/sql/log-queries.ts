import { byText } from "../by-text.js";
import { shortened } from "../memory-agent.js";
import type { LogRecord, LogSourceRecord, ScriptTimingRecord } from "../records.js";
import { type LogsInserted, maxLogsLength, type NewLog, StoreConflict } from "../store.js";
import { text } from "./columns.js";
import type { Database } from "./database.js";
import type { Queries } from "./engine.js";
import { pieces } from "./rows.js";
import type { AgentTiming } from "./tables.js";
import { logColumns, logSourceColumns, timingColumns } from "./tables.js";

/** The first registration of a source stays. */
export async function insertLogSource(database: Database, source: LogSourceRecord): Promise<void> {
  await database.run("store a log source", (db) =>
    database.ifThere(() =>
      db
        .insertInto("logSources")
        .values(logSourceColumns.toRow(source))
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    ),
  );
}

/** Where lines come from, oldest first. */
export async function logSourcesOf(db: Queries, agentId: string): Promise<LogSourceRecord[]> {
  const rows = await db.selectFrom("logSources").selectAll().where("agentId", "=", agentId).execute();
  const sources = rows.map((row) => logSourceColumns.toRecord(row));
  return byText(sources, ({ id }) => id).sort((a, b) => a.createdAtUs - b.createdAtUs);
}

/** In a transaction. It locks the agent's row first, so that lines of an agent become visible in the order of their ids. */
export async function insertLogs(
  db: Queries,
  agentId: string,
  logSourceId: string,
  createdAtUs: number,
  logs: readonly NewLog[],
): Promise<LogsInserted> {
  const length = logs.reduce((sum, { output }) => sum + Buffer.byteLength(output), 0);
  const counted = await db
    .updateTable("agents")
    .set((eb) => ({ logsLength: eb("logsLength", "+", length) }))
    .where("id", "=", agentId)
    .where((eb) => eb(eb("logsLength", "+", length), "<=", maxLogsLength))
    .returning("logsLength")
    .executeTakeFirst();
  if (counted === undefined) return await notCounted(db, agentId);
  const wereFirst = Number(counted.logsLength) === length;
  const rows = logs.map(({ level, output }) => {
    return { agentId, createdAtUs, level, output: text.toSql(shortened(output)), logSourceId };
  });
  let firstId: number | undefined;
  for (const piece of pieces(rows)) {
    const ids = await db.insertInto("logs").values(piece).returning("id").execute();
    firstId ??= ids.reduce((least, { id }) => Math.min(least, Number(id)), Number.POSITIVE_INFINITY);
  }
  return { kind: "stored", firstId: firstId ?? (await nextLogId(db)), wereFirst };
}

async function notCounted(db: Queries, agentId: string): Promise<LogsInserted> {
  const marked = await db
    .updateTable("agents")
    .set({ logsOverflowed: 1 })
    .where("id", "=", agentId)
    .returning("id")
    .executeTakeFirst();
  if (marked !== undefined) return { kind: "overflow" };
  return { kind: "stored", firstId: await nextLogId(db), wereFirst: false };
}

async function nextLogId(db: Queries): Promise<number> {
  const { id } = await db
    .selectFrom("logs")
    .select((eb) => eb.fn.max("id").as("id"))
    .executeTakeFirstOrThrow();
  return Number(id ?? 0) + 1;
}

/** Lines with a higher id than `after`, oldest first. */
export async function logsOf(
  db: Queries,
  agentId: string,
  after: number,
  limit: number,
): Promise<LogRecord[]> {
  const rows = await db
    .selectFrom("logs")
    .selectAll()
    .where("agentId", "=", agentId)
    .where("id", ">", after)
    .orderBy("id")
    .limit(limit)
    .execute();
  return rows.map((row) => logColumns.toRecord(row));
}

/** A run of a script. @throws StoreConflict when the script is not known, or the run is there. S3.86. */
export async function insertScriptTiming(database: Database, timing: ScriptTimingRecord): Promise<void> {
  const unknown = () => new StoreConflict(`there is no script ${timing.scriptId}`);
  await database.run("store the run of a script", async (db) => {
    const script = await db
      .selectFrom("scripts")
      .select("agentId")
      .where("id", "=", timing.scriptId)
      .executeTakeFirst();
    if (script === undefined) throw unknown();
    const row = timingColumns.toRow({ ...timing, agentId: String(script.agentId) });
    const stored = await database.unlessTwin(
      "script_timings_run",
      "this run of the script is there already",
      () => database.ifThere(() => db.insertInto("scriptTimings").values(row).execute()),
    );
    if (stored === undefined) throw unknown();
  });
}

/** @param kept runs that count; what is older is about to be forgotten. */
export async function timingsOf(db: Queries, agentId: string, kept: number): Promise<ScriptTimingRecord[]> {
  const rows = await db
    .selectFrom("scriptTimings")
    .selectAll()
    .where("agentId", "=", agentId)
    .orderBy("entry", "desc")
    .limit(kept)
    .execute();
  const timings = rows.reverse().map((row): AgentTiming => timingColumns.toRecord(row));
  return timings
    .map(({ agentId: _agent, ...timing }): ScriptTimingRecord => timing)
    .sort((a, b) => a.startedAtUs - b.startedAtUs);
}
