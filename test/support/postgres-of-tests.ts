import pg from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { startPostgres, type TestPostgres } from "./postgres.js";

/** The PostgreSQL server of the tests of a `describe`. */
export interface PostgresOfTests {
  /** Of its database. @throws Error before the first test. */
  readonly url: string;
  /** Asks it as its superuser. @throws Error before the first test, and what the server does not like. */
  query(text: string, values?: unknown[]): Promise<pg.QueryResult>;
}

/**
 * Gives the tests of the `describe` in which it is called a PostgreSQL server: started before the first, stopped after
 * the last. Where it is not installed they are skipped.
 */
export function postgresOfTests(): PostgresOfTests {
  let server: TestPostgres | undefined;
  let admin: pg.Client | undefined;
  beforeAll(async () => {
    server = await startPostgres();
    if (server === undefined) return;
    admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
  });
  beforeEach(({ skip }) => skip(server === undefined, "PostgreSQL is not installed"));
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });
  return {
    get url() {
      return started(server).url;
    },
    query: (text, values) => started(admin).query(text, values),
  };
}

function started<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("PostgreSQL is not there yet: ask for it within a test");
  return value;
}
