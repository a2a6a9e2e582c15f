// Prints a user's workspaces and their agents, and again whenever something has changed: one connection, however many
// workspaces there are.
//
// With Node 22.18 or newer, which runs TypeScript as it is:
//
//   npm install agentwire @bufbuild/protobuf @connectrpc/connect
//   CODER_URL=… CODER_SESSION_TOKEN=… node follow-workspaces.ts 4b1f6c2a-…   (the user's id)
import { pathToFileURL } from "node:url";
import {
  connectTailnet,
  type FollowedWorkspaces,
  type TailnetNetwork,
  WorkspaceStatus,
} from "agentwire/client";

/** Where the control plane is, and a user's session token. */
export interface Target {
  url: string;
  token: string;
}

/**
 * Tells of the workspaces of an owner, all of them each time, until the signal ends. A connection that is lost is
 * replaced; what has changed meanwhile is told then.
 * @throws when the control plane refuses the first connection.
 */
export async function followOwner(
  target: Target,
  ownerId: string,
  tell: (text: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const network = connectTailnet({ ...target, onNotice: ({ text }) => tell(`the server says: ${text}`) });
  void tellOfLosses(network, tell);
  try {
    for await (const workspaces of network.workspaces(ownerId, signal)) tell(textOf(workspaces));
  } finally {
    await network.close();
  }
}

/** Says why there is no connection; it is dialled again. */
async function tellOfLosses(network: TailnetNetwork, tell: (text: string) => void): Promise<void> {
  for await (const state of network.states()) {
    if (state.kind === "lost")
      tell(`no connection: ${state.error.message}; trying again in ${state.retryInMs} ms`);
  }
}

function textOf(workspaces: FollowedWorkspaces): string {
  if (workspaces.size === 0) return "no workspaces";
  const lines = [...workspaces.values()].map(({ name, status, agents }) => {
    const names = [...agents.values()].map((agent) => agent.name).sort();
    return `${name} (${WorkspaceStatus[status].toLowerCase()}): ${names.join(", ") || "no agents"}`;
  });
  return lines.sort().join("\n");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { CODER_URL: url = "http://127.0.0.1:3400", CODER_SESSION_TOKEN: token = "" } = process.env;
  const [ownerId = ""] = process.argv.slice(2);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  await followOwner({ url, token }, ownerId, (text) => console.log(`${text}\n`), stop.signal).catch(
    (error: Error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
}
