import { channel, payloadsQuery } from "./notices.js";

/**
 * All writes of a batch, and the word of them, in one statement: in it no two are about the same peer.
 *
 * A connection number is given to each peer as it comes, so that of two with the same id the later one wins; what the
 * earlier one still writes finds no row with its number. What ends is told of only where it was there: others take
 * that word as it is, whereas of all else they read how it is.
 */
export const write = {
  name: "agentwire_tailnet_write",
  text: `
with joined as (
  insert into agentwire_tailnet_peers as p (id, coordinator_id, connection, node)
  select j.id, $1::uuid, coalesce(j.connection, nextval('agentwire_tailnet_connections')), j.node
  from unnest($2::uuid[], $3::bigint[], $4::bytea[]) as j (id, connection, node)
  on conflict (id) do update
    set coordinator_id = excluded.coordinator_id, connection = excluded.connection, node = excluded.node
    where p.connection <= excluded.connection
  returning id, connection
), updated as (
  update agentwire_tailnet_peers as p set node = n.node
  from unnest($5::uuid[], $6::bigint[], $7::bytea[]) as n (id, connection, node)
  where p.id = n.id and p.connection = n.connection
), opened as (
  insert into agentwire_tailnet_tunnels as t (src, dst, connection)
  select o.src, o.dst, o.connection
  from unnest($8::uuid[], $9::bigint[], $10::uuid[]) as o (src, connection, dst)
  join agentwire_tailnet_peers as p on p.id = o.src and p.connection = o.connection
  on conflict (src, dst) do update set connection = excluded.connection where t.connection < excluded.connection
), removed as (
  delete from agentwire_tailnet_tunnels as t
  using unnest($11::uuid[], $12::bigint[], $13::uuid[]) as r (src, connection, dst)
  where t.src = r.src and t.dst = r.dst and t.connection <= r.connection
  returning t.src, t.dst
), gone as (
  delete from agentwire_tailnet_peers as p using unnest($14::uuid[], $15::bigint[], $16::text[]) as g (id, connection, why)
  where p.id = g.id and p.connection = g.connection
  returning p.id, p.connection, g.why
), payloads as (
  select unnest($19::text[]) as payload
  union all ${payloadsQuery(`
    select concat_ws(':', 'join', id, connection) as text from joined
    union all select concat_ws(':', 'removed', src, dst) from removed
    union all select concat_ws(':', 'gone', id, connection, why) from gone`)}
)
select 'joined' as result, id, connection::text as connection, null::uuid as partner from joined
union all
select 'initial', t.dst, null, t.src from joined as j join agentwire_tailnet_tunnels as t on t.dst = j.id
union all
select 'initial', t.src, null, t.dst from joined as j join agentwire_tailnet_tunnels as t on t.src = j.id
union all
select 'shared', r.sender, null, r.receiver from unnest($17::uuid[], $18::uuid[]) as r (sender, receiver)
where exists (
  select from agentwire_tailnet_tunnels as t
  where (t.src = r.sender and t.dst = r.receiver) or (t.src = r.receiver and t.dst = r.sender)
)
union all
select 'told', null, count(pg_notify('${channel}', payload))::text, null from payloads`,
};

/** Takes a connection number, as {@link write} does for peers that come. */
export const nextConnection = { text: "select nextval('agentwire_tailnet_connections')" };

/** A row of {@link write}: a peer has come, it had a partner by then, it is ready for one, or notices were sent. */
export interface WriteRow {
  result: "joined" | "initial" | "shared" | "told";
  id: string;
  connection: string;
  partner: string;
}

/** The peers of coordinators that go; `left` is a query of their ids. */
const sayGone = (left: string, why: string) => `
select count(pg_notify('${channel}', payload)) from (${payloadsQuery(
  `select concat_ws(':', 'gone', p.id, p.connection, '${why}') as text
   from agentwire_tailnet_peers as p where p.coordinator_id in (select id from ${left})`,
)}) as payloads`;

/**
 * A coordinator says that it is there, and that those are gone that have not for too long: whoever deletes their row
 * says it, and nobody else. `isNew` when it was not known, or had been taken for gone itself.
 */
export const beat = {
  name: "agentwire_tailnet_beat",
  text: `
with known as (
  update agentwire_tailnet_coordinators set expires_at = clock_timestamp() + $2::float8 * interval '1 ms'
  where id = $1::uuid returning id
), made as (
  insert into agentwire_tailnet_coordinators (id, expires_at)
  select $1::uuid, clock_timestamp() + $2::float8 * interval '1 ms' where not exists (select from known)
), expired as (
  delete from agentwire_tailnet_coordinators where expires_at < clock_timestamp() and id <> $1::uuid returning id
)
select not exists (select from known) as "isNew", (${sayGone("expired", "lost")}) as told`,
};

/** A coordinator goes, with all its peers. */
export function leave(why: "lost" | "closed"): string {
  return `
with leaving as (delete from agentwire_tailnet_coordinators where id = $1::uuid returning id)
${sayGone("leaving", why)}`;
}

/** How some tunnels are: each is named by its two ends. */
export const readTunnels = {
  name: "agentwire_tailnet_tunnels",
  text: `
select t.src, t.dst, t.connection::text as connection
from unnest($1::uuid[], $2::uuid[]) as w (src, dst) join agentwire_tailnet_tunnels as t using (src, dst)
union
select src, dst, connection::text from agentwire_tailnet_tunnels where src = any ($3::uuid[])
union
select src, dst, connection::text from agentwire_tailnet_tunnels where dst = any ($3::uuid[])`,
};

/** A row of {@link readTunnels}. */
export interface TunnelRow {
  src: string;
  dst: string;
  connection: string;
}

/** How some peers are. */
export const readPeers = {
  name: "agentwire_tailnet_peers",
  text: `select id, connection::text as connection, node from agentwire_tailnet_peers where id = any ($1::uuid[])`,
};

/** A row of {@link readPeers}. */
export interface PeerRow {
  id: string;
  connection: string;
  node: Buffer | null;
}

/** Whether the database knows a coordinator. */
export const isKnown = {
  name: "agentwire_tailnet_is_known",
  text: `select exists (select from agentwire_tailnet_coordinators where id = $1::uuid) as "isKnown"`,
};
