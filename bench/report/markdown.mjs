import { median, number, range, table } from "./format.mjs";
import { sections } from "./tables.mjs";

/**
 * @typedef {object} Report
 * @property {import("../runner/run.mjs").Plan} plan
 * @property {import("../runner/run.mjs").Results} results
 * @property {import("./summary.mjs").Summary} summary
 * @property {import("./goals.mjs").JudgedGoal[]} goals none after a quick run, which is too short to judge
 * @property {ReturnType<typeof import("./environment.mjs").environment>} environment
 */

/**
 * @param {Report} report
 * @returns {string}
 */
export function markdown({ plan, results, summary, goals, environment }) {
  return [
    "## Echo calls on one connection",
    facts(plan, results, environment),
    caveats,
    ...sections(summary, plan.cells, plan.candidates),
    checkList(goals),
    failureList(results),
    "",
  ]
    .filter((part) => part !== undefined)
    .join("\n\n");
}

/**
 * @param {import("../runner/run.mjs").Plan} plan
 * @param {import("../runner/run.mjs").Results} results
 * @param {Report["environment"]} environment
 */
function facts({ rounds, seconds, settings }, { loads }, { date, node, go, processors, system, packages }) {
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${date}; Node ${node}, ${go}; ${processors}; ${system}; ${versions.join(", ")}.`,
    `${rounds} rounds of ${seconds} s per cell and candidate${settings.isPinned ? ", Node's clients and servers pinned to a processor each" : ""}${settings.heapMb > 0 ? `, ${settings.heapMb} MB more in the heap of each process on Node` : ""}. Load at the end of each round: ${loads.map(number).join(", ")}.`,
  ].join("\n");
}

const caveats = `Read before comparing:

- Client and server share the processors of one machine over loopback, with whatever else runs there. Absolute numbers move a lot from one machine and hour to another; quote the ratios, which are medians of the ratios of each round, with the least and the greatest.
- One connection each, except that HTTP/1.1 has one per call that is under way. No TLS, no compression, no authentication that costs anything.
- agentwire has the codecs that its generator makes for the echo service, as its own services have; grpc-js and connect-node encode with protobuf-es, as Connect does; the Go programs encode by hand. The messages have one field of bytes, so that little of this shows. Bare ws has no codec, no streams of its own, no errors and no deadlines: it is the limit, not an alternative. Its second form joins the calls of a turn in one message, as agentwire does.
- Unless they are pinned, the system may run a client and its server on one processor for a while, which is good for a single caller and halves the rate of many. All candidates have that; it widens the ranges.
- The Go pair has Go's default of one thread per processor.
- CPU is seconds for 100,000 calls or messages, garbage collection included. Peak memory is that of a process that has been through all other cells.`;

/** @param {import("./goals.mjs").JudgedGoal[]} goals */
function checkList(goals) {
  if (goals.length === 0) return undefined;
  const verdict = { true: "pass", false: "MISS", undefined: "not measured" };
  const rows = goals.map(({ text, cell, candidate, atLeast, atMost, ratio, isMet }) => [
    `${cell}, ${candidate}: ${text}`,
    atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`,
    median(ratio),
    range(ratio),
    verdict[`${isMet}`],
  ]);
  return `### Goals\n\n${table(["ratio", "goal", "median", "min–max", ""], rows)}`;
}

/** @param {import("../runner/run.mjs").Results} results */
function failureList({ failures }) {
  if (failures.length === 0) return undefined;
  const lines = failures.map(({ candidate, cell, error }) => `- ${candidate} in ${cell}: ${error}`);
  return `### Failed\n\n${lines.join("\n")}`;
}
