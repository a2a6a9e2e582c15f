import { type AgentSocketServer, type ContextService, createAgentSocket } from "../../local/index.js";
import type { AgentHost, AgentPart } from "../part.js";

/** How the agent socket is served. */
export interface SocketOptions {
  /** The socket's file; `/tmp/coder-agent.sock` by default. C5.2. */
  path?: string | undefined;
}

/** Serves the agent socket to programs on this machine; commands find its path in their environment. C4.3, C5. */
export function socketPart(
  host: AgentHost,
  context: ContextService | undefined,
  options: SocketOptions = {},
): AgentPart {
  let socket: AgentSocketServer | undefined;
  let current: unknown;
  return {
    name: "socket",
    async open() {
      socket = await createAgentSocket({
        ...(options.path === undefined ? {} : { path: options.path }),
        ...(context === undefined ? {} : { context }),
      });
      host.setEnvironment("CODER_AGENT_SOCKET_PATH", socket.path);
    },
    async onConnection({ agent, closed }) {
      current = agent;
      socket?.setControlPlane(agent);
      // until the connection itself ends: a stop script may still report an app's status. C4.5
      void closed.then(() => {
        if (current === agent) socket?.setControlPlane(undefined);
      });
    },
    close: () => socket?.close(),
  };
}
