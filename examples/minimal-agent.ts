// The least that makes an agent: it stays connected, says where it is in its life, and sends a line of log. For one
// that runs scripts, and reports all that agents report, there is `createAgent` in agentwire/agent.
//
// With Node 22.18 or newer, which runs TypeScript as it is:
//
//   npm install agentwire @bufbuild/protobuf @connectrpc/connect
//   CODER_AGENT_URL=… CODER_AGENT_TOKEN=… node minimal-agent.ts
import { pathToFileURL } from "node:url";
import { connectAgent, LifecycleSender, LogSender } from "agentwire/client";

/** Always the same, so that people see one source and not one for each run. */
const sourceId = "3f0b6a58-7c0e-4d53-9d6b-3f6f1c1c8f11";

/** Where the control plane is, and the agent's token. */
export interface Target {
  url: string;
  token: string;
}

/**
 * Is the agent until the signal ends.
 * @throws when the control plane refuses it for good: a wrong token, for example.
 */
export async function runAgent(target: Target, signal: AbortSignal): Promise<void> {
  const lifecycle = new LifecycleSender();
  const logs = new LogSender();
  lifecycle.advance("starting");
  const session = connectAgent({
    ...target,
    role: "agent",
    // what they have is kept while there is no connection, and goes over the next
    senders: [lifecycle, logs],
    async onConnected({ agent }) {
      const { ownerUsername, workspaceName, agentName } = await agent.getManifest({});
      await agent.updateStartup({ startup: { version: "v0.0.0-minimal", expandedDirectory: process.cwd() } });
      // onConnected runs for each connection; the agent starts once
      if (lifecycle.state !== "starting") return;
      logs.enqueue(sourceId, [{ output: `${agentName} of ${ownerUsername}/${workspaceName} is there` }]);
      lifecycle.advance("ready");
    },
  });
  const stop = () => {
    lifecycle.advance("shutting_down");
    lifecycle.advance("off");
    void session.close(); // sends that first, for 5 seconds at most
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  const { error } = await session.ended;
  signal.removeEventListener("abort", stop);
  if (error !== undefined) throw error;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { CODER_AGENT_URL: url = "http://127.0.0.1:3400", CODER_AGENT_TOKEN: token = "" } = process.env;
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  await runAgent({ url, token }, stop.signal).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
