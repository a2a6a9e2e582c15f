// Agents that do what agents do: metadata of three keys every ten seconds, stats every thirty, a few lines of log every
// ten, an app's status every minute, lifecycle at the start. Each has its own beginning, so that they do not march.
import { text } from "node:stream/consumers";
import { AppStatusState, dialAgent, LifecycleState } from "agentwire/client";

const { url, seconds } = JSON.parse(process.argv[2] ?? "");
const tokens = JSON.parse(await text(process.stdin));

/** @type {number[]} */
const times = [];
/**
 * Of the calls that all make at once, as after a server has come back.
 * @type {number[]}
 */
const firstTimes = [];
let failed = 0;
let lost = 0;
let isOver = false;

const begin = performance.now();
/** @type {import("agentwire/client").AgentConnection[]} */
const connections = [];
// as many at a time as a restart of a server brings
for (let i = 0; i < tokens.length; i += 50) {
  const dials = tokens
    .slice(i, i + 50)
    .map((/** @type {string} */ token) => dialAgent({ url, token, proxy: false }));
  connections.push(...(await Promise.all(dials)));
}
for (const connection of connections) {
  void connection.closed.then(() => {
    if (!isOver) lost++;
  });
}
console.log(JSON.stringify({ connectedInMs: performance.now() - begin }));

const timers = connections.flatMap((connection) => routines(connection));
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
isOver = true;
for (const timer of timers) clearInterval(timer);
times.sort((a, b) => a - b);
const at = (/** @type {number} */ share) => times[Math.floor(share * (times.length - 1))] ?? 0;
const calls = times.length + firstTimes.length;
const firstMs = Math.max(...firstTimes);
console.log(JSON.stringify({ calls, failed, lost, firstMs, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }));
await Promise.all(connections.map((connection) => connection.close()));

/** @param {import("agentwire/client").AgentConnection} connection */
function routines({ agent }) {
  const logSourceId = new Uint8Array(16);
  const every = (/** @type {number} */ intervalMs, /** @type {() => Promise<unknown>} */ call) => {
    const timer = setTimeout(() => {
      void timed(call);
      timers.push(setInterval(() => void timed(call), intervalMs));
    }, Math.random() * intervalMs);
    return timer;
  };
  void timed(() => agent.getManifest({}), firstTimes);
  void timed(() => agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } }), firstTimes);
  return [
    every(10_000, () =>
      agent.batchUpdateMetadata({
        metadata: ["cpu", "memory", "disk"].map((key) => ({ key, result: { value: String(Math.random()) } })),
      }),
    ),
    every(30_000, () => agent.updateStats({ stats: { connectionCount: 1n, rxBytes: 1000n } })),
    every(10_000, () =>
      agent.batchCreateLogs({ logSourceId, logs: [{ output: "step one" }, { output: "step two" }] }),
    ),
    every(60_000, () =>
      agent.updateAppStatus({ slug: "app", state: AppStatusState.WORKING, message: "at it" }),
    ),
  ];
}

/**
 * @param {() => Promise<unknown>} call
 * @param {number[]} list
 */
async function timed(call, list = times) {
  const start = performance.now();
  try {
    await call();
    list.push(performance.now() - start);
  } catch {
    if (!isOver) failed++;
  }
}
