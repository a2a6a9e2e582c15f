/** Stores in a database: SQLite in a directory, and PostgreSQL. Each needs a package that is not installed with this one. */
import type { ControlPlaneStore } from "../control-plane-store.js";
import { missingPackage } from "./missing-package.js";
import type { PostgresPoolOptions } from "./postgres-engine.js";
import type { Retention } from "./retention.js";

export type { PostgresPoolOptions } from "./postgres-engine.js";
export type { Retention } from "./retention.js";

/** How an embedded store keeps things. */
export interface EmbeddedStoreOptions {
  /** What is removed when it has grown old. */
  retention?: Partial<Retention> | undefined;
}

/** How a store in PostgreSQL keeps things, and how it connects. */
export interface PostgresStoreOptions extends EmbeddedStoreOptions, PostgresPoolOptions {}

/**
 * Opens a store in a directory, which is made where there is none. It is for one machine, and a server with a few
 * thousand agents. What is answered survives the end of the process, and the loss of power.
 * @throws Error when `kysely` or `libsql` is not installed, the database cannot be opened, or is of a newer version.
 */
export async function openEmbeddedStore(
  directory: string,
  options: EmbeddedStoreOptions = {},
): Promise<ControlPlaneStore> {
  const { SqlStore } = await importSqlStore();
  const { embeddedEngine } = await import("./embedded-engine.js");
  return await SqlStore.open(await embeddedEngine(directory), options.retention);
}

/**
 * Opens a store in a PostgreSQL database of its own, such as `postgres://user:password@host/agentwire`. Several
 * servers can have the same.
 * @throws Error when `kysely` or `pg` is not installed, the database cannot be reached, or is of a newer version.
 */
export async function openPostgresStore(
  url: string,
  options: PostgresStoreOptions = {},
): Promise<ControlPlaneStore> {
  const { SqlStore } = await importSqlStore();
  const { postgresEngine } = await import("./postgres-engine.js");
  return await SqlStore.open(await postgresEngine(url, options), options.retention);
}

async function importSqlStore() {
  try {
    await import("kysely");
  } catch (error) {
    throw missingPackage("a store in a database", "kysely", error);
  }
  return await import("./sql-store.js");
}
