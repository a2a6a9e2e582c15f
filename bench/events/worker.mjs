// One process of a cell: it says when it is ready, works for a time, says what it counted, and ends.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import pg from "pg";
import { openNatsEvents, openPostgresEvents } from "../../dist/server/index.js";
import { openPlainPostgres } from "./plain-postgres.mjs";

const { role, engine, url, postgres, window, writers } = JSON.parse(process.argv[2] ?? "");
/** @type {string[]} */
const problems = [];
const options = { onProblem: (/** @type {Error} */ { message }) => void problems.push(message) };
const roles = { publisher, subscriber, writer };
await roles[/** @type {keyof typeof roles} */ (role)]();

/** @returns {Promise<any>} */
function open() {
  if (engine === "nats") return openNatsEvents(url, options);
  return engine === "postgres" ? openPostgresEvents(url, options) : openPlainPostgres(url, options);
}

/** Says that it is ready; resolves with the time to work. */
async function ready() {
  process.send?.({ isReady: true });
  const [{ seconds }] = await once(process, "message");
  return seconds;
}

/** Says what it counted, and waits for the others. */
async function done(/** @type {object} */ result) {
  process.send?.({ ...result, problems: problems.slice(0, 10) });
  await once(process, "message");
}

/** Has so many events under way; each that arrives is followed by another. */
async function publisher() {
  const events = await open();
  const ownerId = randomUUID();
  /** @type {number[]} */
  const latenciesUs = [];
  let isOver = true;
  let begunAt = 0;
  let published = 0;
  const next = () => {
    published++;
    begunAt = performance.now();
    events.publish({ topic: "workspace", kind: "stats_update", ownerId, workspaceId: randomUUID() });
  };
  await events.subscribe(
    { of: "owner", ownerId },
    {
      onEvent() {
        if (isOver) return;
        if (window === 1) latenciesUs.push((performance.now() - begunAt) * 1000);
        next();
      },
      onDropped: () => void problems.push("events were lost"),
    },
  );
  const seconds = await ready();
  isOver = false;
  for (let i = 0; i < window; i++) next();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  isOver = true;
  latenciesUs.sort((a, b) => a - b);
  const at = (/** @type {number} */ part) =>
    Math.round(latenciesUs[Math.floor(latenciesUs.length * part)] ?? 0);
  await done({ published, p50Us: at(0.5), p99Us: at(0.99) });
  await events.close();
  process.disconnect();
}

/** Counts until it has all: how long that takes belongs to the time. */
async function subscriber() {
  const events = await open();
  let count = 0;
  let lastAt = 0;
  await events.subscribe(
    { of: "workspaces" },
    {
      onEvent() {
        count++;
        lastAt = performance.now();
      },
      onDropped: () => void problems.push("events were lost"),
    },
  );
  await ready();
  const start = performance.now();
  const [{ published }] = await once(process, "message");
  const giveUpAt = performance.now() + 20_000;
  while (count < published && performance.now() < giveUpAt) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (count !== published) problems.push(`${published} events were published, and ${count} arrived`);
  await done({ perSecond: Math.round(count / ((lastAt - start) / 1000)) });
  await events.close();
  process.disconnect();
}

/** So many connections, each of which commits one row after the other. */
async function writer() {
  const clients = await Promise.all(
    Array.from({ length: writers }, async () => {
      const client = new pg.Client({ connectionString: postgres });
      await client.connect();
      return client;
    }),
  );
  await clients[0]?.query(
    "create table if not exists bench_rows (id bigserial primary key, text text not null)",
  );
  const seconds = await ready();
  const start = performance.now();
  let count = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() - start < seconds * 1000) {
        await client.query("insert into bench_rows (text) values ($1)", ["x".repeat(200)]);
        count++;
      }
    }),
  );
  await done({ perSecond: Math.round(count / ((performance.now() - start) / 1000)) });
  await Promise.all(clients.map((client) => client.end()));
  process.disconnect();
}
