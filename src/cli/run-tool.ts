import { helpOf, parseArguments, type Terminal, UsageError } from "./command.js";
import { commands } from "./commands.js";
import { exitCodeHelp, exitCodes } from "./exit-codes.js";
import { failureJson } from "./failure.js";
import { toolVersion } from "./tool.js";

/**
 * Runs the tool with the arguments after its name.
 * @returns one of the exit codes. What went wrong is on standard error: as JSON when something failed, as a sentence
 * when the tool was called wrongly.
 */
export async function runTool(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-v") {
    terminal.stdout.write(`${toolVersion()}\n`);
    return exitCodes.done;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    terminal.stdout.write(overview());
    return name === undefined ? exitCodes.usage : exitCodes.done;
  }
  const command = commands.find((one) => one.name === name);
  try {
    if (command === undefined) throw new UsageError(`there is no command "${name}"; see agentwire --help`);
    const { values, positionals } = parseArguments(command, rest);
    if (values["help"] === true) {
      terminal.stdout.write(helpOf(command));
      return exitCodes.done;
    }
    return await command.run(values, positionals, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.stderr.write(`agentwire: ${error.message}\n`);
      return exitCodes.usage;
    }
    if (terminal.signal.aborted) return exitCodes.interrupted;
    terminal.stderr.write(`${failureJson(error)}\n`);
    return exitCodes.failed;
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
    "exit codes:",
    ...exitCodeHelp.map(([code, meaning]) => `  ${String(code).padEnd(width)}${meaning}`),
    "",
    "agentwire COMMAND --help says more. CODER_AGENT_URL and CODER_AGENT_TOKEN stand for --url and --token,",
    "CODER_AGENT_TOKEN_FILE, CODER_AGENT_AUTH and CODER_AGENT_NAME for --token-file, --auth and --agent-name.",
    "",
  ].join("\n");
}
