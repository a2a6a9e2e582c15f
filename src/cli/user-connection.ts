import { dialTailnet, type TailnetConnection, type TokenSource, tokenFile } from "../client/index-node.js";
import { normalizeUuid } from "../codec/index.js";
import { type Option, type OptionValues, pairs, type Terminal, text, UsageError } from "./command.js";
import { isHttpUrl, versionOf } from "./connection-options.js";

/** For commands that can connect as a user's program instead of beside the agent. */
export const userOptions = {
  tailnet: {
    type: "boolean",
    help: "dial the endpoint for users' programs, with a user's token: --token,\n--token-file or CODER_SESSION_TOKEN; CODER_URL stands for --url",
  },
  "agent-id": {
    type: "string",
    value: "UUID",
    help: "with --tailnet, dial the endpoint for the programs of one agent",
  },
} satisfies Record<string, Option>;

/** What is of agents only. */
const agentOptions = ["role", "auth", "agent-name"];

/** Whether the command is to connect as a user's program. @throws UsageError for options that do not go together. */
export function isForUser(values: OptionValues): boolean {
  if (values["tailnet"] !== true) {
    if (text(values, "agent-id") !== undefined) throw new UsageError("--agent-id needs --tailnet");
    return false;
  }
  const other = agentOptions.find((name) => text(values, name) !== undefined);
  if (other !== undefined) throw new UsageError(`--${other} is for agents, and --tailnet for users`);
  return true;
}

/**
 * Connects as a user's program. An agent's token of the environment is not taken for a user's.
 * @throws UsageError when something is missing or cannot be used; DialError when dialling fails.
 */
export async function connectAsUser(values: OptionValues, terminal: Terminal): Promise<TailnetConnection> {
  const connection = await dialTailnet({
    url: urlOf(values, terminal),
    token: tokenOf(values, terminal),
    version: versionOf(values),
    headers: pairs(values, "header"),
    signal: terminal.signal,
    ...agentIdOf(values),
  });
  // a version that is only known at run time has the type of the newest: what it lacks answers so
  return connection as TailnetConnection;
}

function urlOf(values: OptionValues, { env }: Terminal): string {
  const url = text(values, "url") || env["CODER_URL"] || env["CODER_AGENT_URL"];
  if (!url) throw new UsageError("give --url, or set CODER_URL");
  if (!isHttpUrl(url)) throw new UsageError(`${url}: must be a URL such as https://coder.example.com`);
  return url;
}

function tokenOf(values: OptionValues, { env }: Terminal): TokenSource {
  const file = text(values, "token-file");
  const token = text(values, "token") ?? (file === undefined ? env["CODER_SESSION_TOKEN"] : undefined);
  if (token) return token;
  if (file) return tokenFile(file);
  throw new UsageError("give a user's token: --token or --token-file, or set CODER_SESSION_TOKEN");
}

function agentIdOf(values: OptionValues): { agentId?: string } {
  const given = text(values, "agent-id");
  if (given === undefined) return {};
  const agentId = normalizeUuid(given);
  if (agentId === undefined) throw new UsageError(`--agent-id ${given}: must be a UUID`);
  return { agentId };
}
