import type { Client, ClientConfig } from "pg";
import { loadOptional } from "./optional-package.js";

/** What clients of PostgreSQL are for. */
export interface PostgresUse {
  /** What needs the package, in errors, such as `Events over PostgreSQL`. */
  what: string;
  /** What the server's administrator sees. */
  applicationName: string;
  /** The longest wait for a connection, in milliseconds. */
  timeoutMs: number;
  /** More of the driver's settings. */
  config?: ClientConfig;
}

/**
 * What makes clients of a server, not connected yet. Loads the package `pg`.
 * @throws Error when `pg` is not installed, or the URL cannot be read; it does not say the URL, nor the password in it.
 */
export async function postgresClients(url: string, use: PostgresUse): Promise<() => Client> {
  const { default: pg } = await loadOptional(use.what, "pg", () => import("pg"));
  const config: ClientConfig = {
    ...use.config,
    connectionString: url,
    connectionTimeoutMillis: use.timeoutMs,
    keepAlive: true,
    application_name: use.applicationName,
  };
  const createClient = () => new pg.Client(config);
  try {
    createClient();
  } catch {
    // what is thrown has the URL in it, and that a password
    throw new Error(
      "The URL of PostgreSQL cannot be read: write postgres://user:password@host:5432/database",
    );
  }
  return createClient;
}
