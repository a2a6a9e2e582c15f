import pg from "pg";

/**
 * The least code that does it, to compare with: each event is a statement of its own on a pool, and is committed as
 * the server does by default.
 *
 * @param {string} url
 * @param {{ onProblem(error: Error): void }} options
 */
export async function openPlainPostgres(url, { onProblem }) {
  const listener = new pg.Client({ connectionString: url });
  await listener.connect();
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  /** @type {Map<string, { onEvent(event: any): void }>} */
  const subscribers = new Map();
  listener.on("notification", ({ channel, payload }) => {
    subscribers.get(channel)?.onEvent(JSON.parse(payload ?? ""));
  });
  return {
    async subscribe(/** @type {any} */ topic, /** @type {any} */ subscriber) {
      const channel = topic.of === "owner" ? `workspace_owner:${topic.ownerId}` : "agentwire_workspaces";
      subscribers.set(channel, subscriber);
      await listener.query(`LISTEN "${channel}"`);
    },
    publish(/** @type {any} */ { kind, ownerId, workspaceId }) {
      const payload = { kind, workspace_id: workspaceId };
      pool
        .query("select pg_notify($1, $2), pg_notify('agentwire_workspaces', $3)", [
          `workspace_owner:${ownerId}`,
          JSON.stringify(payload),
          JSON.stringify({ owner_id: ownerId, ...payload }),
        ])
        .catch(onProblem);
    },
    async close() {
      await Promise.all([listener.end(), pool.end()]);
    },
  };
}
