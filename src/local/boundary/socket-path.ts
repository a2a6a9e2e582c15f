import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where programs find the socket for boundary logs, the newer name first. An agent sets them for what it starts; the
 * older one is what programs of other makers read. C6.19, C11.12.
 */
export const boundaryLogSocketVariables = [
  "CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH",
  "CODER_AGENT_BOUNDARY_LOG_PROXY_SOCKET_PATH",
] as const;

/** Bytes that a socket's address has room for, without the zero byte at its end. Longer paths are cut silently. */
const maxPathBytes = process.platform === "linux" ? 107 : 103;

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
  if (path === "") throw new TypeError("boundary logs: the path of the socket is empty; give one");
  if (path.includes("\0")) throw new TypeError("boundary logs: the path of the socket has a zero byte in it");
  const bytes = Buffer.byteLength(path);
  if (bytes > maxPathBytes) {
    throw new TypeError(
      `boundary logs: the path ${path} is ${bytes} bytes long, and a socket's path may have ${maxPathBytes} at most; choose a shorter one`,
    );
  }
}
