#!/usr/bin/env node
// How fast libraries read and write the messages of the agent API. See README.md.
import { fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { libraries, prepareProtobufjs } from "./libraries.mjs";
import { subjects } from "./messages.mjs";
import { markdown } from "./table.mjs";

/**
 * @typedef {object} Sample
 * @property {number} round
 * @property {string} subject
 * @property {string} operation
 * @property {string} library
 * @property {number} [perSecond] operations for each second of processor time
 * @property {number} [bytes] of memory for each operation
 */

const usage = `Usage: node bench/codec/main.mjs [options]

  --rounds N        9 by default
  --seconds S       processor time of each measurement, 0.2 by default
  --libraries a,b   ${Object.keys(libraries).join(", ")}
  --messages a,b    ${subjects.map(({ name }) => name).join(", ")}
  --quick           once and short, to see that it works: the numbers say nothing
`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "0.2" },
    libraries: { type: "string", default: Object.keys(libraries).join() },
    messages: { type: "string", default: subjects.map(({ name }) => name).join() },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const operations = /** @type {const} */ (["encode", "decode", "init"]);
const program = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** @type {Map<string, import("node:child_process").ChildProcess>} */
const workers = new Map();

if (values.help) process.stdout.write(usage);
else await main();

async function main() {
  const rounds = values.quick ? 1 : Number(values.rounds);
  const seconds = values.quick ? 0.02 : Number(values.seconds);
  const chosen = values.libraries.split(",");
  const messages = values.messages.split(",");
  try {
    if (chosen.includes("protobufjs")) prepareProtobufjs();
    for (const library of chosen) await start(library);
    // the first round is a warm-up
    const samples = [];
    for (let round = 0; round <= rounds; round++) {
      const ofRound = await measureRound(round, { chosen, messages, seconds });
      if (round > 0) samples.push(...ofRound);
      console.error(`bench: round ${round} of ${rounds}`);
    }
    const facts = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
    process.stdout.write(markdown({ samples, chosen, messages, facts, rounds, seconds }));
  } finally {
    for (const worker of workers.values()) worker.kill();
  }
}

/** @param {string} library */
async function start(library) {
  const worker = fork(program, [library], { execArgv: ["--expose-gc"] });
  workers.set(library, worker);
  await answerOf(worker, library);
}

/**
 * Every library does the same thing before any does the next, so that what else the machine does strikes all
 * alike.
 *
 * @param {number} round
 * @param {{ chosen: string[], messages: string[], seconds: number }} plan
 */
async function measureRound(round, { chosen, messages, seconds }) {
  /** @type {Sample[]} */
  const samples = [];
  for (const subject of messages) {
    for (const operation of operations) {
      for (let i = 0; i < chosen.length; i++) {
        const library = chosen[(i + round) % chosen.length] ?? "";
        const speed = await ask(library, { subject, operation, what: "speed", seconds });
        const allocation = await ask(library, { subject, operation, what: "allocation", seconds });
        samples.push({ round, subject, operation, library, ...speed, ...allocation });
      }
    }
  }
  return samples;
}

/**
 * @param {string} library
 * @param {object} request
 */
async function ask(library, request) {
  const worker = workers.get(library);
  if (worker === undefined) throw new Error(`there is no library ${library}`);
  worker.send(request);
  return answerOf(worker, library);
}

/**
 * @param {import("node:child_process").ChildProcess} worker
 * @param {string} library
 * @returns {Promise<{ perSecond?: number, bytes?: number }>}
 */
async function answerOf(worker, library) {
  const over = new AbortController();
  const ended = once(worker, "exit", { signal: over.signal }).then(([code]) => {
    throw new Error(`the process of ${library} ended with ${code}`);
  });
  try {
    const [answer] = await Promise.race([once(worker, "message", { signal: over.signal }), ended]);
    return answer;
  } finally {
    over.abort();
    ended.catch(() => {});
  }
}
