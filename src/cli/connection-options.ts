import { type AgentConnection, dialAgent, type NodeDialOptions } from "../client/index-node.js";
import { type ApiVersionText, parseVersion } from "../version/index.js";
import { type Option, type OptionValues, pairs, type Terminal, text, UsageError } from "./command.js";

/** Where and as whom; every command that connects has these. */
export const targetOptions = {
  url: { type: "string", value: "URL", help: "the control plane; CODER_AGENT_URL by default" },
  token: { type: "string", value: "TOKEN", help: "the agent's token; CODER_AGENT_TOKEN by default" },
  header: {
    type: "string",
    multiple: true,
    value: "NAME=VALUE",
    help: "one more HTTP header when connecting; may be repeated",
  },
} satisfies Record<string, Option>;

/** For commands that connect beside the agent. */
export const connectionOptions = {
  ...targetOptions,
  role: { type: "string", value: "ROLE", help: "the role of the connection; agentwire-COMMAND by default" },
  "api-version": { type: "string", value: "VERSION", help: "such as 2.8; negotiated by default" },
} satisfies Record<string, Option>;

/** The control plane and the token. @throws UsageError when one is missing. */
export function targetOf(values: OptionValues, { env }: Terminal): { url: string; token: string } {
  const url = text(values, "url") ?? env["CODER_AGENT_URL"];
  const token = text(values, "token") ?? env["CODER_AGENT_TOKEN"];
  if (!url) throw new UsageError("no control plane: give --url or set CODER_AGENT_URL");
  if (!token) throw new UsageError("no token: give --token or set CODER_AGENT_TOKEN");
  if (!URL.canParse(url))
    throw new UsageError(`--url ${url}: must be a URL such as https://coder.example.com`);
  return { url, token };
}

/**
 * Connects as a command, in a role of its own: the agent's connection state is not touched.
 * @throws DialError when that fails.
 */
export async function connect(
  command: string,
  values: OptionValues,
  terminal: Terminal,
): Promise<AgentConnection> {
  const options: NodeDialOptions = {
    ...targetOf(values, terminal),
    headers: pairs(values, "header"),
    version: versionOf(values),
    role: text(values, "role") ?? `agentwire-${command}`,
    signal: terminal.signal,
  };
  // a version that is only known at run time has the type of the newest: what it lacks answers so
  return dialAgent(options) as Promise<AgentConnection>;
}

function versionOf(values: OptionValues): ApiVersionText | "negotiate" {
  const version = text(values, "api-version") ?? "negotiate";
  if (version === "negotiate") return version;
  try {
    parseVersion(version);
  } catch (error) {
    throw new UsageError(`--api-version: ${error instanceof Error ? error.message : String(error)}`);
  }
  return version as ApiVersionText;
}
