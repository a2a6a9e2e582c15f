import { tmpdir } from "node:os";
import { join } from "node:path";
import { socketPathComplaint } from "../local-socket.js";

/**
 * Where programs find the socket for boundary logs, the newer name first. An agent sets them for what it starts; the
 * older one is what programs of other makers read. C6.19, C11.12.
 */
export const boundaryLogSocketVariables = [
  "CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH",
  "CODER_AGENT_BOUNDARY_LOG_PROXY_SOCKET_PATH",
] as const;

/** The socket of an agent that was told nothing else: `boundary-audit.sock` in the folder for temporary files. C6.1. */
export function defaultBoundaryLogSocketPath(): string {
  return join(tmpdir(), "boundary-audit.sock");
}

/** What the environment says, else {@link defaultBoundaryLogSocketPath}. An empty variable says nothing. */
export function boundaryLogSocketPath(environment: NodeJS.ProcessEnv = process.env): string {
  for (const name of boundaryLogSocketVariables) {
    const path = environment[name];
    if (path !== undefined && path !== "") return path;
  }
  return defaultBoundaryLogSocketPath();
}

/** @throws TypeError when no socket can have such a path. */
export function checkSocketPath(path: string): void {
  const complaint = socketPathComplaint(path);
  if (complaint !== undefined) throw new TypeError(`boundary logs: ${complaint}`);
}
