/**
 * What is measured: so many processes publish, each of which has so many events under way, and so many connections
 * commit beside them.
 *
 * @typedef {{ name: string, publishers: number, window: number, writers: number }} Cell
 */

/** @type {Cell[]} */
export const cells = [
  { name: "1 publisher", publishers: 1, window: 256, writers: 0 },
  { name: "4 publishers", publishers: 4, window: 256, writers: 0 },
  { name: "16 publishers", publishers: 16, window: 256, writers: 0 },
  { name: "1 publisher, one event at a time", publishers: 1, window: 1, writers: 0 },
  { name: "4 publishers, 4 writers", publishers: 4, window: 256, writers: 4 },
  { name: "4 writers alone", publishers: 0, window: 0, writers: 4 },
];

/** What carries the events; each is opened with the URL of its server. */
export const engines = {
  postgres: { server: "postgres" },
  "postgres-plain": { server: "postgres" },
  nats: { server: "nats" },
};
