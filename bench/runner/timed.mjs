import { forgetPeak, peakMb } from "./memory.mjs";

/**
 * A measurement of a timed cell. Rates are per second, processor time is for 100,000 calls or messages.
 *
 * @typedef {object} TimedSample
 * @property {number} rate calls or messages per second
 * @property {number} mbPerSecond of payload, one way
 * @property {number} p50Us of calls, or of whole streams
 * @property {number} p99Us
 * @property {number} clientCpuS
 * @property {number} serverCpuS
 * @property {number} cpuS of both
 * @property {number | undefined} clientPeakMb
 * @property {number | undefined} serverPeakMb
 */

/** Before each measurement, for processes that have been idle meanwhile; as a share of it. */
const leadIn = 0.1;

/** A call that is under way when the time is over is waited for. */
const graceMs = 30_000;

/**
 * @param {import("./pair.mjs").Pair} pair
 * @param {import("../cells.mjs").TimedCell} cell
 * @param {number} seconds
 * @returns {Promise<TimedSample>}
 */
export async function measureTimed({ client, server }, cell, seconds) {
  const ms = seconds * 1000;
  const load = (/** @type {number} */ duration) =>
    client.request({ ...cell, op: cell.kind, ms: duration }, duration + graceMs);
  await load(ms * leadIn);
  forgetPeak(client.pid);
  forgetPeak(server.pid);
  const before = await server.request({ op: "usage" });
  /** @type {import("../processes/load.mjs").LoadResult} */
  const { count, elapsedMs, cpuMs, p50Us, p99Us } = await load(ms);
  const after = await server.request({ op: "usage" });
  const rate = (count * 1000) / elapsedMs;
  const clientCpuS = perHundredThousand(cpuMs, count);
  const serverCpuS = perHundredThousand(after.cpuMs - before.cpuMs, count);
  return {
    rate,
    mbPerSecond: (rate * cell.size) / 1e6,
    p50Us,
    p99Us,
    clientCpuS,
    serverCpuS,
    cpuS: clientCpuS + serverCpuS,
    clientPeakMb: peakMb(client.pid),
    serverPeakMb: peakMb(server.pid),
  };
}

/**
 * @param {number} ms
 * @param {number} count
 */
function perHundredThousand(ms, count) {
  return (ms / 1000 / count) * 100_000;
}
