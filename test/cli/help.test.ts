import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseArguments } from "../../src/cli/command.js";
import { commands } from "../../src/cli/commands.js";
import { shellCommands } from "../support/shell-words.js";
import { tool, toolResult } from "../support/terminal.js";

/** Nothing listens there. */
const nowhere = {
  CODER_AGENT_URL: "http://127.0.0.1:9",
  CODER_AGENT_TOKEN: "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d",
  CODER_AGENT_SOCKET_PATH: join(tmpdir(), "no-agent-is-here.sock"),
};
/** They begin something that is not for a test of words. */
const endless = ["serve", "agent", "demo"];

const examples = commands.flatMap(({ name, examples }) => examples.map((line) => ({ name, line })));

/** The arguments of each call of the tool in a line, after its name. */
function callsIn(line: string): string[][] {
  return shellCommands(line)
    .filter(([program]) => program === "agentwire")
    .map(([, ...args]) => args);
}

describe("--help", () => {
  it.each(commands)("of $name has examples of it, and its options", async (command) => {
    const { exitCode, stdout } = await toolResult([command.name, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`usage: agentwire ${command.name}`);
    for (const option of Object.keys(command.options)) expect(stdout).toContain(`--${option}`);
    expect(command.examples.length).toBeGreaterThan(0);
    for (const example of command.examples) {
      expect(stdout).toContain(`  ${example}\n`);
      expect(callsIn(example).map(([name]) => name)).toContain(command.name);
    }
  });

  it("of the tool says what the exit codes mean", async () => {
    const { stdout } = await toolResult(["--help"]);
    for (const code of [0, 1, 2, 130]) expect(stdout).toMatch(new RegExp(`^  ${code} +[a-z]`, "m"));
  });
});

describe("an example", () => {
  // some write files where they are
  const from = process.cwd();
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "agentwire-examples-"));
    process.chdir(folder);
  });
  afterAll(async () => {
    process.chdir(from);
    await rm(folder, { recursive: true });
  });

  it.each(examples)("is read without complaint: $line", ({ line }) => {
    for (const [name, ...args] of callsIn(line)) {
      const command = commands.find((one) => one.name === name);
      if (command === undefined) throw new Error(`there is no command ${name}`);
      expect(() => parseArguments(command, args)).not.toThrow();
    }
  });

  it.each(examples.filter(({ name }) => !endless.includes(name)))(
    "is no wrong usage: $line",
    async ({ line }) => {
      for (const args of callsIn(line)) {
        const run = tool(args, nowhere);
        run.stdin.end("{}");
        // one that waits for something does not complain either
        const interrupt = setTimeout(() => run.interrupt(), 1000);
        const exitCode = await run.exitCode;
        clearTimeout(interrupt);
        const stderr = run.stderr();
        expect({ exitCode, stderr }).not.toMatchObject({ exitCode: 2 });
      }
    },
  );
});
