import { type AgentSocketConnection, defaultAgentSocketPath, dialAgentSocket } from "../local/index.js";
import { type Option, type OptionValues, type Terminal, text } from "./command.js";

/** Where the agent of this machine is. C5.29. */
export const socketOptions = {
  "socket-path": {
    type: "string",
    value: "PATH",
    completion: "file",
    help: `the agent's socket; CODER_AGENT_SOCKET_PATH, or ${defaultAgentSocketPath()}, by default`,
  },
} satisfies Record<string, Option>;

/** The path of the agent's socket. */
export function socketPathOf(values: OptionValues, { env }: Pick<Terminal, "env">): string {
  return text(values, "socket-path") || env["CODER_AGENT_SOCKET_PATH"] || defaultAgentSocketPath();
}

/** What to do where no agent listens; empty for any other error. */
export function socketHint(error: unknown): string {
  const reason = error instanceof Error ? error.message : "";
  if (!/ENOENT|ECONNREFUSED/.test(reason)) return "";
  return "is an agent with a socket running here? if it has another path: --socket-path, or CODER_AGENT_SOCKET_PATH";
}

/** Connects to the agent of this machine. @throws RpcError `connect to socket: …`; the signal's reason. */
export function connectToSocket(
  values: OptionValues,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<AgentSocketConnection> {
  return dialAgentSocket({ path: socketPathOf(values, terminal), signal });
}
