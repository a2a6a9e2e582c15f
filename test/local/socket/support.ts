import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import {
  type AgentSocketConnection,
  type AgentSocketOptions,
  type AgentSocketServer,
  createAgentSocket,
  type DialAgentSocketOptions,
  dialAgentSocket,
} from "../../../src/local/index.js";

/** A path for a socket in a folder of its own, which goes with the test. */
export async function socketPath(name = "agent.sock"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "aw-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, name);
}

/** An agent socket that ends with the test. */
export async function agentSocket(options: AgentSocketOptions = {}): Promise<AgentSocketServer> {
  const socket = await createAgentSocket({ path: options.path ?? (await socketPath()), ...options });
  onTestFinished(() => socket.close());
  return socket;
}

/** A client of a socket; it ends with the test. */
export async function clientOf(
  { path }: { path: string },
  options: DialAgentSocketOptions = {},
): Promise<AgentSocketConnection> {
  const connection = await dialAgentSocket({ path, ...options });
  onTestFinished(() => connection.close());
  return connection;
}
