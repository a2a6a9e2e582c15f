import pg from "pg";
import { afterAll, beforeAll, describe } from "vitest";
import { openPostgresEvents } from "../../../src/server/events/index.js";
import { startPostgres } from "../../support/postgres.js";
import { eventsCompliance } from "./compliance.js";

const server = await startPostgres();
afterAll(() => server?.stop());

describe.skipIf(server === undefined)("with PostgreSQL", () => {
  const url = server?.url ?? "";
  const admin = new pg.Client({ connectionString: url });
  beforeAll(() => admin.connect().then(() => undefined));
  afterAll(() => admin.end());

  eventsCompliance("events over PostgreSQL", async (onProblem) => {
    const options = { onProblem, maxBackoffMs: 50 };
    const [a, b] = [await openPostgresEvents(url, options), await openPostgresEvents(url, options)];
    const cut = async () => {
      await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'agentwire events'",
      );
    };
    return { a, b, cut };
  });
});
