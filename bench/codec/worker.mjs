// One library in a process of its own: it waits for requests, and measures what they say.
import { libraries } from "./libraries.mjs";
import { subjects } from "./messages.mjs";

const library = libraries[process.argv[2] ?? ""];
if (library === undefined) throw new Error(`there is no library ${process.argv[2]}`);
const collect = /** @type {() => void} */ (globalThis.gc);
/** @type {unknown} */
let kept;

/** @type {Map<string, import("./libraries.mjs").Operations>} */
const made = new Map(subjects.map((subject) => [subject.name, library(subject)]));
process.send?.({ isReady: true });
process.on("message", (/** @type {Request} */ { subject, operation, what, seconds }) => {
  const run = made.get(subject)?.[operation];
  if (run === undefined) process.send?.({});
  else process.send?.(what === "allocation" ? allocation(run) : speed(run, seconds));
});

/**
 * @typedef {object} Request
 * @property {string} subject
 * @property {"encode" | "decode" | "init"} operation
 * @property {"speed" | "allocation"} what
 * @property {number} seconds of processor time
 */

/**
 * @param {() => unknown} run
 * @param {number} seconds
 */
function speed(run, seconds) {
  let batch = 1;
  for (;;) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) kept = run();
    if (performance.now() - start > 1) break;
    batch *= 2;
  }
  const start = process.cpuUsage();
  let count = 0;
  let us = 0;
  while (us < seconds * 1e6) {
    for (let i = 0; i < batch; i++) kept = run();
    count += batch;
    const { user, system } = process.cpuUsage(start);
    us = user + system;
  }
  return { perSecond: (count / us) * 1e6 };
}

/**
 * The memory that a few operations take, as long as none of it is collected in between.
 *
 * @param {() => unknown} run
 */
function allocation(run) {
  const samples = [];
  // so few that the young generation has room for what they leave
  let count = 1;
  for (let i = 0; i < 9; i++) {
    collect();
    const before = process.memoryUsage();
    for (let j = 0; j < count; j++) kept = run();
    const after = process.memoryUsage();
    const bytes = after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers);
    if (i > 0 && bytes >= 0) samples.push(bytes / count);
    if (i === 0) count = Math.max(1, Math.min(50, Math.floor(400_000 / Math.max(bytes, 1))));
  }
  return { bytes: samples.sort((a, b) => a - b)[Math.floor(samples.length / 2)], kept: kept !== undefined };
}
