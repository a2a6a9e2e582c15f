import { baseName, goPairName } from "../candidates/index.mjs";

/**
 * @typedef {object} Goal
 * @property {string} text
 * @property {string} cell
 * @property {string} candidate
 * @property {string} over
 * @property {number} atLeast
 *
 * @typedef {Goal & { ratio: import("./statistics.mjs").Spread | undefined, isMet: boolean | undefined }} JudgedGoal
 */

/** @type {readonly Goal[]} */
const goals = [
  over(baseName, "empty-1", 2.5, "empty payload, 1 caller"),
  over(baseName, "empty-16", 10, "empty payload, 16 callers"),
  over(baseName, "empty-128", 15, "empty payload, 128 callers"),
  over(baseName, "10k-16", 3.5, "10 KiB, 16 callers"),
  over(goPairName, "empty-128", 8, "empty payload, 128 callers"),
  onGoServer("empty-1", "empty payload, 1 caller"),
  onGoServer("empty-16", "empty payload, 16 callers"),
  onGoServer("empty-128", "empty payload, 128 callers"),
  onGoServer("10k-16", "10 KiB, 16 callers"),
];

/**
 * @param {string} base
 * @param {string} cell
 * @param {number} atLeast
 * @param {string} what
 * @returns {Goal}
 */
function over(base, cell, atLeast, what) {
  const other = base === goPairName ? "the Go pair" : base;
  return { text: `${what}: agentwire over ${other}`, cell, candidate: "agentwire", over: base, atLeast };
}

/**
 * @param {string} cell
 * @param {string} what
 * @returns {Goal}
 */
function onGoServer(cell, what) {
  const text = `${what}, Go server: agentwire's client over Go's`;
  return { text, cell, candidate: "agentwire-go", over: goPairName, atLeast: 1.3 };
}

/**
 * Compares the medians of the ratios with what they should be.
 *
 * @param {import("./summary.mjs").Summary} summary
 * @returns {JudgedGoal[]} `isMet` is undefined for what was not measured
 */
export function judge(summary) {
  return goals.map((goal) => {
    const ratio = summary.ratio(goal.cell, goal.candidate, goal.over, "rate");
    return { ...goal, ratio, isMet: ratio === undefined ? undefined : ratio.median >= goal.atLeast };
  });
}
