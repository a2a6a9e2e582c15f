import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { engines } from "./cells.mjs";

/**
 * @typedef {{ eventsPerSecond?: number, commitsPerSecond?: number, p50Us?: number, p99Us?: number }} Figures
 * @typedef {{ round?: number, engine: string, cell: string, figures: Figures, problems: string[] }} Sample
 */

const program = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();

/**
 * Runs one cell: all processes start, then all work for the same time.
 *
 * @param {{ engine: string, cell: import("./cells.mjs").Cell, seconds: number, servers: Record<string, any> }} plan
 * @returns {Promise<Sample>}
 */
export async function measure({ engine, cell, seconds, servers }) {
  const url = servers[engines[/** @type {keyof typeof engines} */ (engine)]?.server ?? ""] ?? "";
  const roles = [
    ...(cell.publishers > 0 ? ["subscriber"] : []),
    ...Array(cell.publishers).fill("publisher"),
    ...(cell.writers > 0 ? ["writer"] : []),
  ];
  const workers = roles.map((role) => {
    const child = fork(program, [
      JSON.stringify({
        role,
        engine,
        url,
        postgres: servers["postgres"],
        window: cell.window,
        writers: cell.writers,
      }),
    ]);
    children.add(child);
    child.once("exit", () => children.delete(child));
    return { role, child };
  });
  const hear = (/** @type {import("node:child_process").ChildProcess} */ child) =>
    Promise.race([
      once(child, "message").then(([message]) => message),
      once(child, "exit").then(([code]) => {
        throw new Error(`a process of ${cell.name}, ${engine} ended with ${code}`);
      }),
    ]);
  await Promise.all(workers.map(({ child }) => hear(child)));
  for (const { child } of workers) child.send({ seconds });
  const all = workers.map(async ({ role, child }) => ({ role, result: await hear(child) }));
  const published = all.filter((_, i) => roles[i] === "publisher");
  const total = (await Promise.all(published)).reduce((sum, { result }) => sum + result.published, 0);
  workers.find(({ role }) => role === "subscriber")?.child.send({ published: total });
  const results = (await Promise.all(all)).map(({ role, result }) => ({ role, ...result }));
  const exits = workers.map(({ child }) => (child.exitCode === null ? once(child, "exit") : undefined));
  for (const { child } of workers) child.send({ end: true });
  await Promise.all(exits);

  const subscriber = results.find(({ role }) => role === "subscriber");
  const writer = results.find(({ role }) => role === "writer");
  const publisher = results.find(({ role }) => role === "publisher");
  return {
    engine,
    cell: cell.name,
    figures: {
      ...(subscriber === undefined ? {} : { eventsPerSecond: subscriber.perSecond }),
      ...(cell.window === 1 ? { p50Us: publisher?.p50Us, p99Us: publisher?.p99Us } : {}),
      ...(writer === undefined ? {} : { commitsPerSecond: writer.perSecond }),
    },
    problems: results.flatMap(({ problems }) => problems),
  };
}

/** Ends what has been left by a failure. */
export async function endAll() {
  for (const child of children) child.kill("SIGKILL");
}
