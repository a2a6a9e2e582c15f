import { onTestFinished } from "vitest";
import { type AgentConnection, dialAgent } from "../../src/client/index-node.js";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../../src/server/index.js";
import type { AgentDefinition } from "../../src/store/index.js";

export const token = "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";

/** A control plane with one agent, `main` of the workspace `dev` of `ada`; it ends with the test. */
export async function controlPlane(
  agent: Partial<AgentDefinition> = {},
  options: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  const workspaces = [{ owner: "ada", name: "dev", agents: [{ name: "main", token, ...agent }] }];
  const plane = await startControlPlane({ workspaces, ...options });
  onTestFinished(() => plane.close());
  return plane;
}

/** A connection to a control plane, or of an agent of a test plane, that ends with the test. */
export async function dialled(
  plane: { url: string; token?: string },
  options: Partial<Parameters<typeof dialAgent>[0]> = {},
): Promise<AgentConnection> {
  const connection = (await dialAgent({
    url: plane.url,
    token: plane.token ?? token,
    ...options,
  })) as AgentConnection;
  onTestFinished(() => connection.close());
  return connection;
}

/** Waits until a condition holds; fails the test when it does not in time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what = "the condition",
  timeoutMs = 5000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what} did not hold within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
