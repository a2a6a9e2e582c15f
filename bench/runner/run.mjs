import os from "node:os";
import { startPair } from "./pair.mjs";
import { measureBareNode, measureStartup } from "./startup.mjs";
import { measureTimed } from "./timed.mjs";
import { measureWire } from "./wire.mjs";

/**
 * @typedef {import("../candidates/index.mjs").Candidate} Candidate
 * @typedef {import("../cells.mjs").Cell} Cell
 * @typedef {import("./pair.mjs").Pair} Pair
 *
 * @typedef {object} Plan
 * @property {readonly Candidate[]} candidates
 * @property {readonly Cell[]} cells
 * @property {number} rounds
 * @property {number} seconds of a measurement
 * @property {number} warmUpSeconds of each timed cell, before the first round; 0 for none
 * @property {import("./programs.mjs").NodeSettings} settings
 * @property {(text: string) => void} log
 *
 * @typedef {{ round: number, cell: string, candidate: string, values: Record<string, number | undefined> }} Sample
 * @typedef {{ candidate: string, cell: string, error: string }} Failure
 *
 * @typedef {object} Results
 * @property {Sample[]} samples
 * @property {Failure[]} failures a candidate that fails takes no further part
 * @property {number[]} loads average load of the machine at the end of each round
 */

/** The candidate of a sample that is Node with nothing. */
export const bareNode = "bare-node";

/**
 * Starts all candidates, then goes through the cells round after round; within a cell the candidates follow each
 * other, in an order that moves on by one in each round.
 *
 * @param {Plan} plan
 * @returns {Promise<Results>}
 */
export async function run(plan) {
  const { candidates, cells, rounds, warmUpSeconds, log } = plan;
  /** @type {Results} */
  const results = { samples: [], failures: [], loads: [] };
  const pairs = await startPairs(candidates, plan, results);
  if (warmUpSeconds > 0) {
    log("warm-up");
    const timed = cells.filter(({ kind }) => kind === "unary" || kind === "stream");
    const warmUp = { ...plan, cells: timed, seconds: warmUpSeconds };
    await playRound(0, pairs, warmUp, { ...results, samples: [] });
  }
  for (let round = 1; round <= rounds; round++) {
    log(`round ${round} of ${rounds}`);
    await playRound(round, pairs, plan, results);
    results.loads.push(os.loadavg()[0] ?? 0);
  }
  await Promise.all([...pairs.values()].map(endPair));
  return results;
}

/**
 * @param {readonly Candidate[]} candidates
 * @param {Plan} plan
 * @param {Results} results
 */
async function startPairs(candidates, { settings, log }, results) {
  /** @type {Map<string, Pair>} */
  const pairs = new Map();
  for (const candidate of candidates) {
    try {
      pairs.set(candidate.name, await startPair(candidate, settings));
    } catch (error) {
      fail(results, log, candidate.name, "start", error);
    }
  }
  return pairs;
}

/**
 * @param {number} round
 * @param {Map<string, Pair>} pairs
 * @param {Plan} plan
 * @param {Results} results
 */
async function playRound(round, pairs, plan, results) {
  for (const cell of plan.cells) {
    const order = rotated([...pairs.values()], round);
    if (cell.kind === "startup") {
      const values = { ...(await measureBareNode(plan.settings)) };
      results.samples.push({ round, cell: cell.name, candidate: bareNode, values });
    }
    for (const pair of order) {
      const { name, hasNoStreams } = pair.candidate;
      if (hasNoStreams && cell.kind === "stream") continue;
      try {
        const values = { ...(await measure(pair, cell, plan)) };
        results.samples.push({ round, cell: cell.name, candidate: name, values });
      } catch (error) {
        fail(results, plan.log, name, cell.name, error);
        pairs.delete(name);
        await endPair(pair);
      }
    }
  }
}

/**
 * @param {Pair} pair
 * @param {Cell} cell
 * @param {Plan} plan
 */
function measure(pair, cell, { seconds, settings }) {
  switch (cell.kind) {
    case "startup":
      return measureStartup(pair, settings);
    case "wire":
      return measureWire(pair, cell, settings);
    default:
      return measureTimed(pair, cell, seconds);
  }
}

/** @param {Pair} pair */
async function endPair({ client, server }) {
  await client.end();
  await server.end();
}

/**
 * @param {Results} results
 * @param {(text: string) => void} log
 * @param {string} candidate
 * @param {string} cell
 * @param {unknown} error
 */
function fail(results, log, candidate, cell, error) {
  const text = error instanceof Error ? error.message : String(error);
  results.failures.push({ candidate, cell, error: text });
  log(`FAILED in ${cell}: ${text}`);
}

/**
 * @template T
 * @param {T[]} list
 * @param {number} by
 */
function rotated(list, by) {
  const at = by % Math.max(list.length, 1);
  return [...list.slice(at), ...list.slice(0, at)];
}
