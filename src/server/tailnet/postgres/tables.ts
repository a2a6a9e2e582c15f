import type { Client } from "pg";

/**
 * What is known of peers lasts as long as their connections, so nothing of it need survive a crash of the database:
 * unlogged tables are not written ahead, and are empty afterwards. What belongs to a coordinator goes with its row, and
 * the tunnels of a peer with the peer's.
 */
const tables = `
create sequence if not exists agentwire_tailnet_connections;
create unlogged table if not exists agentwire_tailnet_coordinators (
  id uuid primary key,
  expires_at timestamptz not null
);
create unlogged table if not exists agentwire_tailnet_peers (
  id uuid primary key,
  coordinator_id uuid not null references agentwire_tailnet_coordinators (id) on delete cascade,
  connection bigint not null,
  node bytea
);
create index if not exists agentwire_tailnet_peers_of on agentwire_tailnet_peers (coordinator_id);
create unlogged table if not exists agentwire_tailnet_tunnels (
  src uuid not null references agentwire_tailnet_peers (id) on delete cascade,
  dst uuid not null,
  connection bigint not null,
  primary key (src, dst)
);
create index if not exists agentwire_tailnet_tunnels_to on agentwire_tailnet_tunnels (dst);
`;

const lastMade = "select to_regclass('agentwire_tailnet_tunnels_to') is not null as \"isThere\"";

/** Any number that nobody else locks: coordinators that start at once make the tables one after the other. */
const lockKey = 7_246_873_912_045;

/** Makes the tables where there are none. Whoever may not make tables can have them made beforehand. */
export async function makeTables(client: Client): Promise<void> {
  const { rows } = await client.query<{ isThere: boolean }>(lastMade);
  if (rows[0]?.isThere === true) return;
  // one message is one transaction
  await client.query(`select pg_advisory_xact_lock(${lockKey}); ${tables}`);
}
