// A page that is beside an agent: it shows whose agent that is, and sends lines of log. It speaks to the control plane
// over the browser's own WebSocket; nothing runs in between.
//
// Bundle it with what you have:
//
//   npm install agentwire @bufbuild/protobuf @connectrpc/connect esbuild
//   npx esbuild page.ts --bundle --format=esm --minify --outfile=page.js
//
// Serve both files from the control plane's own origin, with a proxy or from the server that has the API attached:
// WebSockets of pages from elsewhere are refused. A browser's WebSocket sends no headers, so the token goes in the
// query: over TLS only, outside of one's own machine.
import { type AgentConnection, dialAgent } from "agentwire/client/agent";

/** Any number; the source of these lines. */
const sourceId = new Uint8Array(16).fill(7);

let connection: AgentConnection | undefined;

function show(text: string): void {
  const state = document.querySelector("#state");
  if (state !== null) state.textContent = text;
}

/** Calls a function with the fields of a form when that is sent, and shows what it throws. */
function onSubmit(form: string, act: (fields: Record<string, string>) => Promise<void>): void {
  document.querySelector<HTMLFormElement>(form)?.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields: Record<string, string> = {};
    for (const [name, value] of new FormData(event.target as HTMLFormElement)) fields[name] = String(value);
    act(fields).catch((error: Error) => show(error.message));
  });
}

onSubmit("#dial", async ({ token = "" }) => {
  await connection?.close();
  show("connecting");
  connection = await dialAgent({ url: location.origin, token, role: "example-page" });
  const { ownerUsername, workspaceName, agentName } = await connection.agent.getManifest({});
  const { major, minor } = connection.version;
  show(`connected to ${ownerUsername}/${workspaceName}, agent ${agentName}, API ${major}.${minor}`);
  void connection.closed.then((reason) => show(`not connected: ${reason.message}`));
});

onSubmit("#say", async ({ line = "" }) => {
  if (connection === undefined) throw new Error("connect first");
  await connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [{ output: line }] });
  show(`sent: ${line}`);
});
