import { baseName, goPairName } from "../candidates/index.mjs";

/**
 * @typedef {object} Goal
 * @property {string} text
 * @property {string} cell
 * @property {string} candidate
 * @property {string} over
 * @property {string} value
 * @property {number} [atLeast] one of the two
 * @property {number} [atMost]
 *
 * @typedef {Goal & { ratio: import("./statistics.mjs").Spread | undefined, isMet: boolean | undefined }} JudgedGoal
 */

const agentwire = "agentwire";

/** @type {readonly Goal[]} */
const goals = [
  rate("empty-1", baseName, 3.5),
  { ...limit("empty-1", "ws", "p50Us", 1.3), text: "p50 over bare ws" },
  { ...limit("empty-1", "ws", "p99Us", 1.5), text: "p99 over bare ws" },
  rate("empty-16", baseName, 18),
  { ...limit("empty-16", baseName, "cpuS", 0.067), text: "processor time over grpc-js, both sides" },
  rate("empty-128", baseName, 40),
  rate("empty-128", goPairName, 25),
  rate("empty-128", "ws-joined", 0.5),
  rate("10k-16", baseName, 6),
  rate("10k-128", baseName, 6),
  { ...rate("empty-16", goPairName, 1.7), candidate: "agentwire-go" },
  {
    ...limit("empty-16", goPairName, "clientCpuS", 0.35),
    candidate: "agentwire-go",
    text: "processor time of the client over Go's client",
  },
  { ...rate("stream-64k", "ws", 0.6), candidate: "agentwire-1m" },
  { ...rate("stream-64k", baseName, 4), candidate: "agentwire-1m" },
  rate("stream-64k", baseName, 2.2),
  rate("stream-1k", baseName, 10),
];

/**
 * @param {string} cell
 * @param {string} over
 * @param {number} atLeast
 * @returns {Goal}
 */
function rate(cell, over, atLeast) {
  return { text: `rate over ${over}`, cell, candidate: agentwire, over, value: "rate", atLeast };
}

/**
 * @param {string} cell
 * @param {string} over
 * @param {string} value
 * @param {number} atMost
 * @returns {Goal}
 */
function limit(cell, over, value, atMost) {
  return { text: `${value} over ${over}`, cell, candidate: agentwire, over, value, atMost };
}

/**
 * Compares the medians of the ratios with what they should be.
 *
 * @param {import("./summary.mjs").Summary} summary
 * @returns {JudgedGoal[]} `isMet` is undefined for what was not measured
 */
export function judge(summary) {
  return goals.map((goal) => {
    const ratio = summary.ratio(goal.cell, goal.candidate, goal.over, goal.value);
    return { ...goal, ratio, isMet: ratio === undefined ? undefined : isMet(goal, ratio.median) };
  });
}

/**
 * @param {Goal} goal
 * @param {number} median
 */
function isMet({ atLeast, atMost }, median) {
  return atLeast === undefined ? median <= (atMost ?? 0) : median >= atLeast;
}
