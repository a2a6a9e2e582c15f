import { fileURLToPath } from "node:url";

/**
 * @typedef {import("../candidates/index.mjs").Side} Side
 * @typedef {{ command: string, args: string[] }} Program
 *
 * @typedef {object} NodeSettings how Node's processes are started
 * @property {string} node its binary
 * @property {string[]} nodeArgs
 * @property {boolean} isPinned clients on one processor, servers on another; Linux only
 * @property {number} heapMb what is in their heaps beside what they need
 */

const clientProcessor = 0;
const serverProcessor = 1;

/**
 * @param {Side} side
 * @param {NodeSettings} settings
 * @returns {Program}
 */
export function serverProgram(side, settings) {
  if (side.runtime === "go") return { command: pathOf("go/bin/server"), args: [] };
  return pinned(settings, serverProcessor, nodeProgram(settings, "processes/server.mjs", stackArgs(side)));
}

/**
 * @param {Side} side
 * @param {NodeSettings} settings
 * @param {number} port
 * @returns {Program}
 */
export function clientProgram(side, settings, port) {
  if (side.runtime === "go") return { command: pathOf("go/bin/client"), args: [String(port)] };
  const program = nodeProgram(settings, "processes/client.mjs", [String(port), ...stackArgs(side)]);
  return pinned(settings, clientProcessor, program);
}

/**
 * @param {readonly string[]} libraries
 * @param {NodeSettings} settings
 * @returns {Program}
 */
export function importProgram(libraries, settings) {
  return nodeProgram({ ...settings, nodeArgs: [] }, "processes/import.mjs", libraries);
}

/**
 * @param {NodeSettings} settings
 * @param {string} file
 * @param {readonly string[]} args
 * @returns {Program}
 */
function nodeProgram({ node, nodeArgs }, file, args) {
  return { command: node, args: [...nodeArgs, pathOf(file), ...args] };
}

/**
 * Go's programs are left alone: they would run fewer threads.
 *
 * @param {NodeSettings} settings
 * @param {number} processor
 * @param {Program} program
 * @returns {Program}
 */
function pinned({ isPinned }, processor, { command, args }) {
  return isPinned
    ? { command: "taskset", args: ["-c", String(processor), command, ...args] }
    : { command, args };
}

/** @param {Extract<Side, { runtime: "node" }>} side */
function stackArgs({ stack, variant }) {
  return variant === undefined ? [stack] : [stack, variant];
}

/** @param {string} file below bench/ */
function pathOf(file) {
  return fileURLToPath(new URL(`../${file}`, import.meta.url));
}
