import { parseArgs } from "node:util";
import { candidates } from "./candidates/index.mjs";
import { cells, shortened } from "./cells.mjs";

export const usage = `Usage: node bench/main.mjs [options]

  --rounds N          rounds, 5 by default
  --seconds S         length of each measurement, 1 by default
  --candidates a,b    ${candidates.map(({ name }) => name).join(", ")}
  --cells a,b         ${cells.map(({ name }) => name).join(", ")}
  --quick             everything once and short, to see that it works: the numbers say nothing
  --node PATH         run the measured processes with another Node
  --node24            run them with Node 24, which is installed into bench/runtimes if need be
  --pin               clients on Node on one processor, their servers on another (Linux, taskset)
  --heap MB           give each process on Node so much more of a heap, as an application has
  --profile FOLDER    write a CPU profile of each Node process there (--cpu-prof)
  --help
`;

/**
 * @typedef {object} Options
 * @property {typeof candidates} candidates
 * @property {readonly import("./cells.mjs").Cell[]} cells
 * @property {number} rounds
 * @property {number} seconds
 * @property {boolean} isQuick
 * @property {string | undefined} node
 * @property {boolean} wantsNode24
 * @property {boolean} isPinned
 * @property {number} heapMb
 * @property {string | undefined} profileFolder
 * @property {boolean} wantsHelp
 */

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws Error that says what is wrong with them
 */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      candidates: { type: "string" },
      cells: { type: "string" },
      quick: { type: "boolean", default: false },
      node: { type: "string" },
      node24: { type: "boolean", default: false },
      pin: { type: "boolean", default: false },
      heap: { type: "string" },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const isQuick = values.quick;
  const chosen = choose("cell", cells, values.cells);
  return {
    candidates: choose("candidate", candidates, values.candidates),
    cells: isQuick ? chosen.map(shortened) : chosen,
    rounds: Math.ceil(positive("rounds", values.rounds, isQuick ? 1 : 5)),
    seconds: positive("seconds", values.seconds, isQuick ? 0.1 : 1),
    isQuick,
    node: values.node,
    wantsNode24: values.node24,
    isPinned: values.pin,
    heapMb: values.heap === undefined ? 0 : positive("heap", values.heap, 0),
    profileFolder: values.profile,
    wantsHelp: values.help,
  };
}

/**
 * @template {{ name: string }} T
 * @param {string} what
 * @param {readonly T[]} all
 * @param {string | undefined} names
 * @returns {readonly T[]}
 */
function choose(what, all, names) {
  if (names === undefined) return all;
  return names.split(",").map((name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined) {
      throw new Error(`no ${what} is called ${name}; there are ${all.map((one) => one.name).join(", ")}`);
    }
    return found;
  });
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} otherwise
 */
function positive(name, text, otherwise) {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} is ${text}; it must be a number above 0`);
  return value;
}
