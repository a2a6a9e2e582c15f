import { type Command, helpOf, parseArguments, type Terminal, UsageError } from "./command.js";
import { agent } from "./commands/agent.js";
import { call } from "./commands/call.js";
import { context } from "./commands/context.js";
import { demo } from "./commands/demo.js";
import { inspect } from "./commands/inspect.js";
import { logs } from "./commands/logs.js";
import { serve } from "./commands/serve.js";
import { status } from "./commands/status.js";
import { sync } from "./commands/sync.js";
import { versions } from "./commands/versions.js";
import { failureJson } from "./failure.js";
import { toolVersion } from "./tool.js";

const commands: readonly Command[] = [
  serve,
  agent,
  call,
  logs,
  status,
  sync,
  context,
  inspect,
  versions,
  demo,
];

const interruptedCode = 130;

/**
 * Runs the tool with the arguments after its name.
 * @returns the exit code: 0; 1 when it failed, with the error as JSON on standard error; 2 when it was called wrongly;
 * 130 when it was interrupted before it was done.
 */
export async function runTool(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-v") {
    terminal.stdout.write(`${toolVersion()}\n`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    terminal.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((one) => one.name === name);
  try {
    if (command === undefined) throw new UsageError(`there is no command "${name}"; see agentwire --help`);
    const { values, positionals } = parseArguments(command, rest);
    if (values["help"] === true) {
      terminal.stdout.write(helpOf(command));
      return 0;
    }
    return await command.run(values, positionals, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.stderr.write(`agentwire: ${error.message}\n`);
      return 2;
    }
    if (terminal.signal.aborted) return interruptedCode;
    terminal.stderr.write(`${failureJson(error)}\n`);
    return 1;
  }
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    "The workspace agent API of Coder-style development environments, from the shell.",
    "",
    "usage: agentwire COMMAND [options]",
    "",
    "commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    "",
    "agentwire COMMAND --help says more. CODER_AGENT_URL and CODER_AGENT_TOKEN stand for --url and --token,",
    "CODER_AGENT_TOKEN_FILE, CODER_AGENT_AUTH and CODER_AGENT_NAME for --token-file, --auth and --agent-name.",
    "",
  ].join("\n");
}
