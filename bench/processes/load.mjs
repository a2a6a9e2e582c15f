import { cpuMs } from "./commands.mjs";
import { Histogram } from "./histogram.mjs";

/**
 * @typedef {import("../candidates/index.mjs").EchoClient} EchoClient
 *
 * @typedef {object} LoadResult
 * @property {number} count calls, or messages of a stream
 * @property {number} elapsedMs
 * @property {number} cpuMs
 * @property {number} p50Us
 * @property {number} p99Us of calls, or of whole streams
 */

/**
 * Keeps so many callers busy for so long.
 *
 * @param {EchoClient} client
 * @param {{ size: number, callers: number, ms: number }} load
 * @returns {Promise<LoadResult>}
 */
export function runUnary(client, { size, callers, ms }) {
  const payload = pattern(size);
  const end = performance.now() + ms;
  return inParallel(callers, async (histogram) => {
    let count = 0;
    for (let then = performance.now(); then < end; count++) {
      checkSize((await client.unary(payload)).payload.length, size);
      const now = performance.now();
      histogram.add(now - then);
      then = now;
    }
    return count;
  });
}

/**
 * Makes so many calls.
 *
 * @param {EchoClient} client
 * @param {{ size: number, callers: number, calls: number }} load
 * @returns {Promise<LoadResult>}
 */
export function burst(client, { size, callers, calls }) {
  const payload = pattern(size);
  const each = calls / callers;
  return inParallel(callers, async () => {
    for (let made = 0; made < each; made++) {
      checkSize((await client.unary(payload)).payload.length, size);
    }
    return each;
  });
}

/**
 * Takes one stream after the other for so long, and counts messages.
 *
 * @param {EchoClient} client
 * @param {{ size: number, count: number, ms: number }} load
 * @returns {Promise<LoadResult>}
 */
export function runStream(client, { size, count, ms }) {
  const payload = pattern(size);
  const end = performance.now() + ms;
  return inParallel(1, async (histogram) => {
    let messages = 0;
    for (let then = performance.now(); then < end; messages += count) {
      await takeStream(client, payload, count, (got) => checkSize(got.length, size));
      const now = performance.now();
      histogram.add(now - then);
      then = now;
    }
    return messages;
  });
}

/**
 * Calls a few times and looks at every byte.
 *
 * @param {EchoClient} client
 */
export async function verify(client) {
  for (const size of [0, 1, 10_240]) {
    const payload = pattern(size);
    checkSame((await client.unary(payload)).payload, payload);
  }
  const payload = pattern(65_536);
  if (client.stream !== undefined) await takeStream(client, payload, 20, (got) => checkSame(got, payload));
  return { right: true };
}

/**
 * @param {EchoClient} client
 * @param {Uint8Array} payload
 * @param {number} count
 * @param {(got: Uint8Array) => void} check
 */
async function takeStream(client, payload, count, check) {
  let got = 0;
  /** @type {unknown} */
  let wrong;
  await client.stream?.(payload, count, (message) => {
    got++;
    // an error must not be thrown into a library's event handler
    try {
      check(message);
    } catch (error) {
      wrong ??= error;
    }
  });
  if (wrong !== undefined) throw wrong;
  if (got !== count) throw new Error(`wrong answer: a stream of ${got} messages instead of ${count}`);
}

/**
 * Runs callers and adds up what they have.
 *
 * @param {number} callers
 * @param {(histogram: Histogram) => Promise<number>} caller
 * @returns {Promise<LoadResult>}
 */
async function inParallel(callers, caller) {
  const histogram = new Histogram();
  const cpu = cpuMs();
  const start = performance.now();
  const counts = await Promise.all(Array.from({ length: callers }, () => caller(histogram)));
  return {
    elapsedMs: performance.now() - start,
    cpuMs: cpuMs() - cpu,
    count: counts.reduce((sum, count) => sum + count, 0),
    p50Us: histogram.percentile(0.5),
    p99Us: histogram.percentile(0.99),
  };
}

/**
 * A payload.
 *
 * @param {number} size
 */
function pattern(size) {
  return Uint8Array.from({ length: size }, (_, index) => index * 31 + 7);
}

/**
 * @param {number} got
 * @param {number} wanted
 */
function checkSize(got, wanted) {
  if (got !== wanted) throw new Error(`wrong answer: ${got} bytes instead of ${wanted}`);
}

/**
 * @param {Uint8Array} got
 * @param {Uint8Array} wanted
 */
function checkSame(got, wanted) {
  checkSize(got.length, wanted.length);
  if (Buffer.compare(got, wanted) !== 0) throw new Error("wrong answer: other bytes came back");
}
