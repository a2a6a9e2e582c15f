import { PostgresDialect, sql } from "kysely";
import type { Engine, Failure, LockName } from "./engine.js";
import { missingPackage } from "./missing-package.js";

/** How to talk to PostgreSQL. */
export interface PostgresPoolOptions {
  /** Connections of this process; 10 by default. */
  maxConnections?: number | undefined;
}

const connectTimeoutMs = 10_000;
/** With what it waits for locks. */
const statementTimeoutMs = 30_000;
/** When not even the database says that it took too long. */
const answerTimeoutMs = 40_000;

/** Any numbers, as long as all servers of a database have the same. */
const lockNumbers: Record<LockName, number> = {
  migrations: 2_025_070_101,
  definitions: 2_025_070_102,
  connections: 2_025_070_103,
};

/**
 * PostgreSQL at a URL, which must be 13 or later.
 * @throws Error when `pg` is not installed, or the URL is none.
 */
export async function postgresEngine(url: string, options: PostgresPoolOptions = {}): Promise<Engine> {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new Error("the URL of the PostgreSQL database must begin with postgres:// or postgresql://");
  }
  const { Pool } = await importPg();
  const pool = new Pool({
    connectionString: url,
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: answerTimeoutMs,
    idle_in_transaction_session_timeout: answerTimeoutMs,
    application_name: "agentwire",
    allowExitOnIdle: true,
    keepAlive: true,
  });
  // a connection that nobody uses has broken; the pool makes a new one for the next query
  pool.on("error", () => {});
  return {
    dialect: new PostgresDialect({ pool }),
    types: {
      text: 'text collate "C"',
      bytes: "bytea",
      counter: "bigint generated always as identity primary key",
    },
    hasRowLocks: true,
    async lock(transaction, name) {
      await sql`select pg_advisory_xact_lock(${sql.lit(lockNumbers[name])})`.execute(transaction);
    },
    failureOf,
  };
}

async function importPg() {
  try {
    const pg = await import("pg");
    return pg.default;
  } catch (error) {
    throw missingPackage("PostgreSQL", "pg", error);
  }
}

function failureOf(error: unknown): Failure {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (code === "23503") return { kind: "orphan" };
  if (code === "23505") return { kind: "twin", index: String(constraint) };
  // serialization_failure, deadlock_detected
  if (code === "40001" || code === "40P01") return { kind: "collision" };
  return { kind: "other", code: typeof code === "string" ? code : "unknown" };
}
