import { sql } from "kysely";
import type { Database } from "../database.js";
import type { SqlTypes } from "../engine.js";
import { createTables } from "./0001-tables.js";
import { createSigningKeys } from "./0002-signing-keys.js";
import { telemetryOfUsers } from "./0003-telemetry-of-users.js";

/** All migrations, in order: each gives the statements that lead from the version before. Never change an old one. */
const migrations: readonly ((types: SqlTypes) => string[])[] = [
  createTables,
  createSigningKeys,
  telemetryOfUsers,
];

/**
 * Brings a database to the version of this program, all at once or not at all; a server that comes meanwhile waits.
 * @throws Error when the database is of a newer version.
 */
export async function migrate(database: Database): Promise<void> {
  const { types } = database.engine;
  const step = async (db: Parameters<Parameters<typeof database.transaction>[1]>[0]) => {
    await sql`create table if not exists agentwire_migrations (version integer primary key, applied_at_us bigint not null)`.execute(
      db,
    );
    const { rows } = await sql<{
      version: unknown;
    }>`select max(version) as version from agentwire_migrations`.execute(db);
    const version = Number(rows[0]?.version ?? 0);
    if (version > migrations.length) return version;
    for (const [i, statements] of migrations.entries()) {
      if (i < version) continue;
      for (const statement of statements(types)) await sql.raw(statement).execute(db);
      await sql`insert into agentwire_migrations (version, applied_at_us) values (${i + 1}, ${Date.now() * 1000})`.execute(
        db,
      );
    }
    return migrations.length;
  };
  const version = await database.transaction("prepare its tables", step, "migrations");
  if (version > migrations.length) {
    throw new Error(
      `the database is of version ${version}, this program knows ${migrations.length}: use a newer program, or another database`,
    );
  }
}
