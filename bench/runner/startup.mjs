import { Child } from "./child.mjs";
import { clientProgram, importProgram } from "./programs.mjs";

/**
 * @typedef {object} StartupSample
 * @property {number} firstAnswerMs from the start of the process until it says that it has had an answer
 * @property {number} [importMs] of the libraries alone, in a process of their own
 */

/**
 * @param {import("./pair.mjs").Pair} pair
 * @param {import("./programs.mjs").NodeSettings} settings
 * @returns {Promise<StartupSample>}
 */
export async function measureStartup({ candidate, port }, settings) {
  const program = clientProgram(candidate.client, { ...settings, nodeArgs: [] }, port);
  const { elapsedMs } = await untilFirstLine(program, `${candidate.name}, another client`);
  if (candidate.libraries === undefined) return { firstAnswerMs: elapsedMs };
  const { answer } = await untilFirstLine(importProgram(candidate.libraries, settings), "import.mjs");
  return { firstAnswerMs: elapsedMs, importMs: answer.ms };
}

/**
 * Node alone: what every client on it needs.
 *
 * @param {import("./programs.mjs").NodeSettings} settings
 * @returns {Promise<StartupSample>}
 */
export async function measureBareNode(settings) {
  const { elapsedMs } = await untilFirstLine(importProgram([], settings), "import.mjs");
  return { firstAnswerMs: elapsedMs };
}

/**
 * @param {import("./programs.mjs").Program} program
 * @param {string} label
 */
async function untilFirstLine(program, label) {
  const start = performance.now();
  const child = new Child(program, label);
  try {
    const answer = await child.next();
    return { answer, elapsedMs: performance.now() - start };
  } finally {
    await child.end();
  }
}
