import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent } from "../../agent/index.js";
import { untilAborted } from "../../client/until-aborted.js";
import type { ControlPlane } from "../../server/index.js";
import { paintFor } from "../colors.js";
import { type Command, refuseArguments, type Terminal, text, UsageError } from "../command.js";
import { sampleWorkspacesFile, toolCommand, toolVersion } from "../tool.js";
import { showEvent } from "./agent.js";
import { pageUrl, startShown, whereThePageIs, workspacesIn } from "./serve.js";

const onceTimeoutMs = 60_000;
const lookAgainMs = 50;

export const demo: Command = {
  name: "demo",
  summary: "Shows a control plane and an agent on it, live",
  usage: "[--once] [--workspaces FILE]",
  options: {
    once: { type: "boolean", help: "stop when the agent is ready and its logs have arrived" },
    workspaces: {
      type: "string",
      value: "FILE",
      completion: "file",
      help: "a sample by default; its first agent is run",
    },
  },
  examples: ["agentwire demo", "agentwire demo --once"],
  async run(values, positionals, terminal) {
    refuseArguments("demo", positionals);
    const file = text(values, "workspaces") ?? sampleWorkspacesFile();
    const adminToken = randomUUID();
    const { plane, view } = await startShown({ workspaces: await workspacesIn(file), adminToken }, terminal);
    try {
      const [first] = plane.agents;
      if (first === undefined) throw new UsageError(`${file} has no agent`);
      introduce(plane, { file, page: pageUrl(plane.url, adminToken) }, terminal);
      return await runOne(plane, first, values["once"] === true, terminal);
    } finally {
      await plane.close(2000);
      await view?.close();
    }
  },
};

async function runOne(
  plane: ControlPlane,
  { id, token }: { id: string; token: string },
  isOnce: boolean,
  terminal: Terminal,
): Promise<number> {
  const running = createAgent({
    dial: { url: plane.url, token },
    buildVersion: `v${toolVersion()}`,
    commands: { agentwire: toolCommand() },
    // another agent on this machine may have the usual places
    parts: { socket: { path: join(tmpdir(), `agentwire-demo-${process.pid}.sock`) }, boundaryLogs: false },
    // what it does is seen on the control plane; here only what goes wrong
    onEvent: (event) => {
      if (event.kind === "warning" || event.kind === "disconnected") showEvent(event, terminal);
    },
  });
  const interrupted = untilAborted(terminal.signal).then(() => 0);
  const ended = running.ended.then(() => 1);
  const once = isOnce ? untilArrived(plane, id, terminal.signal) : interrupted;
  const exitCode = await Promise.race([interrupted, ended, once]);
  await running.stop();
  if (exitCode !== 0) terminal.stderr.write("the agent was not ready in time, or its logs did not arrive\n");
  return exitCode;
}

function introduce(
  { url, agents }: ControlPlane,
  { file, page }: { file: string; page: string },
  terminal: Terminal,
): void {
  const paint = paintFor(terminal.stderr, terminal);
  const [agent] = agents;
  terminal.stderr.write(
    [
      `${paint("bold", "agentwire")} control plane on ${url}, agents from ${file}`,
      whereThePageIs(page),
      "Try it from another terminal:",
      paint("cyan", `  export CODER_AGENT_URL=${url} CODER_AGENT_TOKEN=${agent?.token}`),
      paint("cyan", "  npx agentwire call Agent/GetManifest"),
      paint("cyan", "  echo hello | npx agentwire logs --source me"),
      "Ctrl-C ends it.",
      "",
      "",
    ].join("\n"),
  );
}

/**
 * Waits until the agent is ready, every run of a start script has been reported, and logs and metadata are there.
 * @returns the exit code: 0 when all of that came in time.
 */
async function untilArrived({ store }: ControlPlane, agentId: string, signal: AbortSignal): Promise<number> {
  const endMs = performance.now() + onceTimeoutMs;
  while (performance.now() < endMs && !signal.aborted) {
    const agent = await store.agent(agentId);
    const { scripts, metadata } = await store.manifestRecords(agentId);
    const scriptTimings = await store.scriptTimings(agentId);
    const startScripts = scripts.filter(({ runOnStart }) => runOnStart);
    const isReported = startScripts.every(({ id }) => scriptTimings.some(({ scriptId }) => scriptId === id));
    const hasLogs = startScripts.length === 0 || (await store.logs(agentId, 0, 1)).length > 0;
    const isCollected = metadata.every(({ collectedAtUs }) => collectedAtUs !== undefined);
    if (agent?.lifecycleState === "ready" && isReported && hasLogs && isCollected) return 0;
    if (agent?.lifecycleState === "start_error" || agent?.lifecycleState === "start_timeout") return 1;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return 1;
}
