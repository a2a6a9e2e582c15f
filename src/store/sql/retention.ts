import { sql } from "kysely";
import type { Database } from "./database.js";

/** How much is kept of what would grow for ever. */
export interface Retention {
  /**
   * Entries of each agent in each history: statuses, runs of scripts, stats, samples, boundary logs, telemetry; so many
   * too of telemetry that is of no agent. 1000 by default.
   */
  keptEntries: number;
  /** Connections in the connection log; 10,000 by default. */
  keptConnections: number;
  /** How often older ones are removed; an hour by default. */
  intervalMs: number;
}

/** What is kept unless somebody says otherwise. */
export const usualRetention: Retention = {
  keptEntries: 1000,
  keptConnections: 10_000,
  intervalMs: 60 * 60 * 1000,
};

const histories = [
  "appStatuses",
  "scriptTimings",
  "stats",
  "resourceSamples",
  "boundarySessions",
  "boundaryLogs",
  "telemetry",
] as const;

/** Removes what is older. Agent by agent: calls that come meanwhile wait for one short statement only. */
export async function forgetOldEntries(database: Database, retention: Retention): Promise<void> {
  const agents = await database.run("list agents", (db) => db.selectFrom("agents").select("id").execute());
  for (const { id } of agents) {
    for (const table of histories) {
      await database.run("remove old entries", (db) =>
        sql`delete from ${sql.table(table)} where agent_id = ${id} and entry <= (
          select entry from ${sql.table(table)} where agent_id = ${id}
          order by entry desc limit 1 offset ${retention.keptEntries}
        )`.execute(db),
      );
    }
  }
  await database.run("remove old entries", (db) =>
    sql`delete from telemetry where agent_id is null and entry <= (
      select entry from telemetry where agent_id is null
      order by entry desc limit 1 offset ${retention.keptEntries}
    )`.execute(db),
  );
  await database.run("remove old connections", (db) =>
    sql`delete from connections where entry <= (
      select entry from connections order by entry desc limit 1 offset ${retention.keptConnections}
    )`.execute(db),
  );
}
