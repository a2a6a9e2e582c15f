import { type AppStatusState, appStatusStates, isUnimplemented, RpcError } from "../../client/index-node.js";
import type { AgentSocketConnection } from "../../local/index.js";
import { errorText } from "../../rpc/error-text.js";
import {
  type Command,
  jsonOption,
  type OptionValues,
  refuseArguments,
  type Terminal,
  text,
  UsageError,
  writeJson,
} from "../command.js";
import { connect, connectionOptions, targetOf } from "../connection-options.js";
import { connectToSocket, socketOptions, socketPathOf } from "../socket-options.js";

/** How long an agent on this machine has to take the connection, before the server is asked. */
const socketTimeoutMs = 5_000;

/** What is reported. */
interface AppStatus {
  slug: string;
  state: AppStatusState;
  message: string;
  uri: string;
}

export const status: Command = {
  name: "status",
  summary: "Reports what an app is doing, through the agent's socket or to the control plane",
  usage: "--slug SLUG --state STATE --message TEXT [--uri URI] [options]",
  options: {
    slug: { type: "string", value: "SLUG", help: "the app" },
    state: {
      type: "string",
      value: "STATE",
      completion: Object.keys(appStatusStates),
      help: Object.keys(appStatusStates).join(", "),
    },
    message: { type: "string", value: "TEXT", help: "what it does, for people" },
    uri: { type: "string", value: "URI", help: "where there is more, such as a pull request" },
    json: { ...jsonOption, help: "print as JSON which way the report went" },
    ...socketOptions,
    ...connectionOptions,
  },
  examples: [
    'agentwire status --slug assistant --state working --message "looking around"',
    'agentwire status --slug assistant --state complete --message "done" --uri https://example.com/pull/7',
  ],
  async run(values, positionals, terminal) {
    refuseArguments("status", positionals);
    const report = reportOf(values);
    const why = await throughAgent(report, values, terminal);
    if (why === undefined) {
      const socketPath = socketPathOf(values, terminal);
      if (values["json"] === true) writeJson(terminal, { through: "agent", socketPath });
      else terminal.stderr.write(`reported through the agent at ${socketPath}\n`);
      return 0;
    }
    const { url } = await targetFor(why, values, terminal);
    const connection = await connect("status", values, terminal);
    try {
      await connection.agent.updateAppStatus(report, { signal: terminal.signal });
    } finally {
      await connection.close();
    }
    if (values["json"] === true) writeJson(terminal, { through: "control-plane", url, why });
    else terminal.stderr.write(`reported to ${url} (${why})\n`);
    return 0;
  },
};

function reportOf(values: OptionValues): AppStatus {
  const [slug, state, message] = ["slug", "state", "message"].map((name) => {
    const value = text(values, name);
    if (value === undefined) throw new UsageError(`give --slug, --state and --message: --${name} is missing`);
    return value;
  });
  if (!Object.hasOwn(appStatusStates, state ?? ""))
    throw new UsageError(`--state ${state}: must be one of ${Object.keys(appStatusStates).join(", ")}`);
  return {
    slug: slug ?? "",
    state: appStatusStates[state as keyof typeof appStatusStates],
    message: message ?? "",
    uri: text(values, "uri") ?? "",
  };
}

/**
 * Reports through the agent of this machine.
 * @returns why that is not possible; undefined when it has been done.
 * @throws RpcError when the agent, or the control plane behind it, refused the report.
 */
async function throughAgent(
  report: AppStatus,
  values: OptionValues,
  terminal: Terminal,
): Promise<string | undefined> {
  const connection = await agentHere(values, terminal);
  if (typeof connection === "string") return connection;
  try {
    await connection.agentSocket.updateAppStatus(report, { signal: terminal.signal });
    return undefined;
  } catch (error) {
    if (isUnimplemented(error)) return "the agent has no app statuses";
    throw error;
  } finally {
    await connection.close();
  }
}

/** @returns a connection to the agent of this machine, or why there is none. */
async function agentHere(values: OptionValues, terminal: Terminal): Promise<AgentSocketConnection | string> {
  const tooLate = AbortSignal.timeout(socketTimeoutMs);
  try {
    return await connectToSocket(values, terminal, AbortSignal.any([tooLate, terminal.signal]));
  } catch (error) {
    if (terminal.signal.aborted) throw error;
    if (tooLate.aborted) return `no agent answered within ${socketTimeoutMs} ms`;
    if (error instanceof RpcError) return error.rawMessage;
    throw error;
  }
}

async function targetFor(why: string, values: OptionValues, terminal: Terminal): Promise<{ url: string }> {
  try {
    return await targetOf(values, terminal);
  } catch (error) {
    const lacks = errorText(error);
    throw new UsageError(`no agent to report through (${why}), and ${lacks}`);
  }
}
