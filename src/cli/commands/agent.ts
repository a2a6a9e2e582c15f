import { type AgentEvent, runAgent } from "../../agent/index.js";
import { paintFor, printable } from "../colors.js";
import { type Command, type Terminal, UsageError } from "../command.js";
import { targetOf, targetOptions } from "../connection-options.js";
import { untilAborted } from "../interrupt.js";
import { toolCommand, toolVersion } from "../tool.js";

export const agent: Command = {
  name: "agent",
  summary: "Runs a small agent: scripts, logs, lifecycle, metadata, app health, stats",
  usage: "[options]",
  options: targetOptions,
  examples: ["agentwire agent --url http://127.0.0.1:3400 --token TOKEN"],
  async run(values, positionals, terminal) {
    if (positionals.length > 0)
      throw new UsageError(`"${positionals[0]}" is too much; see agentwire agent --help`);
    const running = runAgent({
      dial: await targetOf(values, terminal),
      buildVersion: `v${toolVersion()}`,
      // scripts of the agent can use the tool
      commands: { agentwire: toolCommand() },
      onEvent: (event) => showEvent(event, terminal),
    });
    await Promise.race([running.ended, untilAborted(terminal.signal)]);
    await running.stop();
    return 0;
  },
};

/** Prints what an agent says of itself, one line each. */
export function showEvent(event: AgentEvent, terminal: Terminal): void {
  const paint = paintFor(terminal.stderr, terminal);
  terminal.stderr.write(`${paint("gray", "agent:")} ${printable(textOf(event))}\n`);
}

function textOf(event: AgentEvent): string {
  switch (event.kind) {
    case "connected":
      return `connected, API ${event.version}`;
    case "disconnected":
      return `${event.reason}; next attempt in ${event.retryInMs} ms`;
    case "lifecycle":
      return event.state;
    case "script-ended":
      return `${event.stage} script ${event.script}: ${event.status}, exit code ${event.exitCode}, ${event.durationMs} ms`;
    case "warning":
      return `warning: ${event.text}`;
  }
}
