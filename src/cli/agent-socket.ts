import type { Client } from "@connectrpc/connect";
import type { AgentSocket } from "../gen/coder/agentsocket/v1/agentsocket_pb.js";
import { type Option, type OptionValues, type Terminal, text } from "./command.js";

/** Where the agent's socket is; every command that talks to the agent on this machine has it. */
export const agentSocketOptions = {
  "socket-path": {
    type: "string",
    value: "PATH",
    help: "the agent's socket; CODER_AGENT_SOCKET_PATH by default",
  },
} satisfies Record<string, Option>;

/** The agent on this machine. */
export interface OpenAgentSocket {
  readonly agentSocket: Client<typeof AgentSocket>;
  close(): Promise<void>;
}

/** Where the agent's socket is, by option and environment; undefined for its usual place. C5.29. */
export function agentSocketPath(values: OptionValues, { env }: Pick<Terminal, "env">): string | undefined {
  return text(values, "socket-path") || env["CODER_AGENT_SOCKET_PATH"] || undefined;
}

/**
 * Connects to the agent's socket.
 * @throws Error `connect to socket: …` when nobody listens there (C5.6); the signal's reason when that ends.
 */
export async function openAgentSocket(values: OptionValues, terminal: Terminal): Promise<OpenAgentSocket> {
  terminal.signal.throwIfAborted();
  const path = agentSocketPath(values, terminal) ?? "the usual place";
  throw new Error(`connect to socket: no client for agent sockets is part of this build (${path})`);
}
