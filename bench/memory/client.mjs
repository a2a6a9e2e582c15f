// Connections of one of the stacks, as many as it is told, with streams on them.
import { writeHeapSnapshot } from "node:v8";
import { say, sayFailed, serveCommands } from "../processes/commands.mjs";
import { used } from "./used.mjs";

const { stack, port, variant, settings = {} } = JSON.parse(process.argv[2] ?? "");
/** As many dial, or begin a stream, at a time. */
const atOnce = 50;

try {
  const { connect, readAlone } = await import(`./stacks/${stack}.mjs`);
  /** @type {Awaited<ReturnType<typeof connect>>[]} */
  const connections = [];
  /** What must not be collected. */
  const kept = [];
  serveCommands({
    used,
    snapshot: ({ file }) => ({ file: writeHeapSnapshot(file) }),
    async connect({ count, tokens = [] }) {
      const begin = performance.now();
      await inGroups(count, async (i) => {
        connections.push(
          await connect(
            port,
            tokens[i] === undefined ? settings : { ...settings, token: tokens[i] },
            variant,
          ),
        );
      });
      return { ms: performance.now() - begin };
    },
    async streams({ count }) {
      await inGroups(count, (i) => connections[i % connections.length].openStream(new Uint8Array(16)));
      return {};
    },
    async alone({ count }) {
      for (let i = 0; i < count; i++) await readAlone();
      return {};
    },
    async paused({ count, size }) {
      await inGroups(count, async (i) => {
        kept.push(await connections[i % connections.length].openPaused(new Uint8Array(size)));
      });
      return {};
    },
    /** One call after the other, each on the next connection. */
    async calls({ ms, isAgent }) {
      const times = [];
      const begin = performance.now();
      for (let i = 0; performance.now() - begin < ms; i = (i + 1) % connections.length) {
        const start = performance.now();
        await (isAgent ? connections[i].agentCall() : connections[i].call());
        times.push(performance.now() - start);
      }
      times.sort((a, b) => a - b);
      const at = (/** @type {number} */ share) => times[Math.floor(share * (times.length - 1))] ?? 0;
      return { calls: times.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
    },
    /** A call on each connection. */
    async callAll({ isAgent }) {
      const begin = performance.now();
      await inGroups(connections.length, (i) =>
        isAgent ? connections[i].agentCall() : connections[i].call(),
      );
      return { calls: connections.length, ms: performance.now() - begin };
    },
  });
  say({ isReady: true });
} catch (error) {
  sayFailed(error);
}

/**
 * @param {number} count
 * @param {(i: number) => Promise<unknown>} make
 */
async function inGroups(count, make) {
  for (let from = 0; from < count; from += atOnce) {
    const length = Math.min(atOnce, count - from);
    await Promise.all(Array.from({ length }, (_, i) => make(from + i)));
  }
}
