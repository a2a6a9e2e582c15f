import { type AgentEvent, createAgent } from "../../agent/index.js";
import { Subsystem } from "../../client/index-node.js";
import { untilAborted } from "../../client/until-aborted.js";
import { boundaryLogSocketPath } from "../../local/index.js";
import { paintFor, printable } from "../colors.js";
import { type Command, jsonOption, refuseArguments, type Terminal, text, UsageError } from "../command.js";
import { authOf, targetOf, targetOptions } from "../connection-options.js";
import { socketOptions, socketPathOf } from "../socket-options.js";
import { toolCommand, toolVersion } from "../tool.js";

const subsystems: Readonly<Record<string, Subsystem>> = {
  envbox: Subsystem.ENVBOX,
  envbuilder: Subsystem.ENVBUILDER,
  exectrace: Subsystem.EXECTRACE,
};

/** A machine often runs before its control plane has stored what belongs to it. */
const bootGraceMs = 600_000;

export const agent: Command = {
  name: "agent",
  summary: "Runs an agent: scripts, logs, lifecycle, metadata, health, stats, socket, context",
  usage: "[options]",
  options: {
    ...targetOptions,
    "log-dir": {
      type: "string",
      value: "DIR",
      completion: "directory",
      help: "for the output of scripts; CODER_AGENT_LOG_DIR, or that for temporary files, by default",
    },
    "script-data-dir": {
      type: "string",
      value: "DIR",
      completion: "directory",
      help: "for what scripts keep; CODER_AGENT_SCRIPT_DATA_DIR, or one that ends with the agent, by default",
    },
    ...socketOptions,
    "no-socket": { type: "boolean", help: "serve no agent socket" },
    "boundary-socket-path": {
      type: "string",
      value: "PATH",
      completion: "file",
      help: "for logs of programs that confine others;\nCODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH by default",
    },
    "no-boundary": { type: "boolean", help: "take no such logs" },
    json: { ...jsonOption, help: "print what happens as JSON, one line each, on standard output" },
    "no-reinit": { type: "boolean", help: "do not wait for a prebuilt workspace to be given to somebody" },
  },
  examples: [
    "agentwire agent --url http://127.0.0.1:3400 --token TOKEN",
    "agentwire agent --url https://coder.example.com --auth aws",
    "agentwire agent --json | jq -c 'select(.kind == \"script-ended\")'",
  ],
  async run(values, positionals, terminal) {
    refuseArguments("agent", positionals);
    const { env } = terminal;
    const boundaryPath = text(values, "boundary-socket-path") || boundaryLogSocketPath(env);
    const running = createAgent({
      dial: await targetOf(values, terminal),
      // where a cloud says who this machine is
      ...(authOf(values, terminal) === "token" ? {} : { unauthorizedGraceMs: bootGraceMs }),
      buildVersion: `v${toolVersion()}`,
      subsystems: subsystemsOf(env["CODER_AGENT_SUBSYSTEM"] ?? ""),
      // scripts of the agent can use the tool
      commands: { agentwire: toolCommand() },
      reinit: values["no-reinit"] !== true,
      parts: {
        scripts: {
          logDirectory: text(values, "log-dir") || env["CODER_AGENT_LOG_DIR"] || undefined,
          dataDirectory: text(values, "script-data-dir") || env["CODER_AGENT_SCRIPT_DATA_DIR"] || undefined,
        },
        ...choice("socket", values["no-socket"] === true, socketPathOf(values, terminal)),
        ...choice("boundaryLogs", values["no-boundary"] === true, boundaryPath),
      },
      onEvent: (event) => {
        const isRetry = event.kind === "disconnected" && terminal.signal.aborted;
        // what could not be sent before the end is told at the end; not each attempt
        if (isRetry) return;
        if (values["json"] === true) terminal.stdout.write(`${JSON.stringify(event)}\n`);
        else showEvent(event, terminal);
      },
    });
    await Promise.race([running.ended, untilAborted(terminal.signal)]);
    const { error } = await running.stop();
    if (error !== undefined) throw error;
    return 0;
  },
};

function choice(name: "socket" | "boundaryLogs", isOff: boolean, path: string) {
  return { [name]: isOff ? (false as const) : { path } };
}

/** C4.91. */
function subsystemsOf(list: string): Subsystem[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .map((name) => {
      const subsystem = Object.hasOwn(subsystems, name) ? subsystems[name] : undefined;
      if (subsystem === undefined) throw new UsageError(`CODER_AGENT_SUBSYSTEM: invalid subsystem "${name}"`);
      return subsystem;
    });
}

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
    case "banners":
      return event.banners.length === 0
        ? "no banners any more"
        : event.banners.map(({ message }) => `banner: ${message}`).join("; ");
    case "reinitialising":
      return "the workspace was given to somebody; the agent begins anew";
    case "unsent":
      return `not sent before the end: ${event.unsent.map(({ sender, count }) => `${count} of ${sender}`).join(", ")}`;
    case "warning":
      return `warning: ${event.text}`;
  }
}
