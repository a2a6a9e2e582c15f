/**
 * How the runner talks to a program: a JSON command per line on stdin, a JSON answer per line on stdout, one at a
 * time. The Go programs do the same.
 */

/**
 * @typedef {object} Command
 * @property {string} op
 * @property {number} [size]
 * @property {number} [callers]
 * @property {number} [calls]
 * @property {number} [count]
 * @property {number} [ms]
 */

/** @param {object} answer */
export function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** @param {unknown} error */
export function sayFailed(error) {
  say({ error: error instanceof Error ? error.message : String(error) });
}

/**
 * Answers commands until stdin ends, and the process with it.
 *
 * @param {Record<string, (command: any) => object | Promise<object>>} ops
 */
export function serveCommands(ops) {
  let rest = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) void answer(ops, JSON.parse(line));
  });
  process.stdin.on("end", () => process.exit(0));
}

/**
 * @param {Record<string, (command: any) => object | Promise<object>>} ops
 * @param {Command} command
 */
async function answer(ops, command) {
  try {
    const op = ops[command.op];
    if (op === undefined) throw new Error(`unknown op ${command.op}`);
    say(await op(command));
  } catch (error) {
    sayFailed(error);
  }
}

/** Processor time that this process has used, in milliseconds. */
export function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
