import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { CoordinatorLimits } from "../../../src/server/tailnet/coordinator.js";
import { openPostgresCoordinator } from "../../../src/server/tailnet/postgres/index.js";
import { startPostgres } from "../../support/postgres.js";
import { coordinatorCompliance } from "./coordinator-compliance.js";

describe("with PostgreSQL", () => {
  let server: Awaited<ReturnType<typeof startPostgres>>;
  let url = "";
  let admin: pg.Client;
  beforeAll(async () => {
    server = await startPostgres();
    if (server === undefined) return;
    url = server.url;
    admin = new pg.Client({ connectionString: url });
    await admin.connect();
  });
  beforeEach(({ skip }) => skip(server === undefined, "PostgreSQL is not installed"));
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  async function replicas(count: number, limits: CoordinatorLimits = {}) {
    const opening = Array.from({ length: count }, () => openPostgresCoordinator(url, { limits }));
    const all = await Promise.all(opening);
    const close = async () => {
      await Promise.all(all.map((each) => each.close()));
      expect(await leftRows()).toEqual([0, 0, 0]);
    };
    return { replicas: all, close };
  }

  async function leftRows(): Promise<number[]> {
    const tables = ["coordinators", "peers", "tunnels"];
    const counts = tables.map((name) => `(select count(*)::int from agentwire_tailnet_${name}) as ${name}`);
    const { rows } = await admin.query(`select ${counts.join()}`);
    return Object.values(rows[0]);
  }

  coordinatorCompliance("one coordinator over PostgreSQL", (limits) => replicas(1, limits));
  coordinatorCompliance("three coordinators over PostgreSQL", (limits) => replicas(3, limits));
});
