import {
  type AgentConnection,
  authKindOf,
  authKinds,
  dialAgent,
  type NodeDialOptions,
  nodeFetch,
  type TokenProvider,
  type TokenSetting,
  TokenSettingError,
  tokenSourceFromEnvironment,
} from "../client/index-node.js";
import { errorText } from "../rpc/error-text.js";
import { type ApiVersionText, apiMajor, newestVersion, parseVersion } from "../version/index.js";
import { type Option, type OptionValues, pairs, type Terminal, text, UsageError } from "./command.js";

/** Where and as whom; every command that connects has these. */
export const targetOptions = {
  url: { type: "string", value: "URL", help: "the control plane; CODER_AGENT_URL by default" },
  token: { type: "string", value: "TOKEN", help: "the agent's token; CODER_AGENT_TOKEN by default" },
  "token-file": {
    type: "string",
    value: "FILE",
    completion: "file",
    help: "a file with the token, read anew for each connection;\nCODER_AGENT_TOKEN_FILE by default",
  },
  auth: {
    type: "string",
    value: "KIND",
    completion: authKinds,
    help: "token, or how this machine shows who it is: aws, azure or gcp;\nCODER_AGENT_AUTH or token by default",
  },
  "agent-name": {
    type: "string",
    value: "NAME",
    help: "which agent of this machine, with aws, azure and gcp;\nCODER_AGENT_NAME by default",
  },
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
  "api-version": {
    type: "string",
    value: "VERSION",
    completion: Array.from({ length: newestVersion.minor + 1 }, (_, minor) => `${apiMajor}.${minor}`),
    help: "such as 2.8; negotiated by default",
  },
} satisfies Record<string, Option>;

/** The control plane, and as whom it is reached. */
export interface Target {
  url: string;
  token: TokenProvider;
  headers: Record<string, string>;
  /** For requests beside a connection: the proxies of the environment are theirs too. */
  fetch: typeof fetch;
}

/** @throws UsageError when something that is needed is missing, or cannot be used. C1.40. */
export async function targetOf(values: OptionValues, { env, signal }: Terminal): Promise<Target> {
  const url = text(values, "url") || env["CODER_AGENT_URL"];
  if (url && !isHttpUrl(url)) {
    const name = text(values, "url") ? "--url" : "CODER_AGENT_URL";
    throw new UsageError(`${name} ${url}: must be a URL such as https://coder.example.com`);
  }
  const headers = pairs(values, "header");
  const fetch = nodeFetch();
  try {
    const token = await tokenSourceFromEnvironment({
      env,
      signal,
      headers,
      fetch,
      url,
      ...tokenSettings(values),
      agentName: text(values, "agent-name"),
    });
    return { url: url ?? "", token, headers, fetch };
  } catch (error) {
    if (error instanceof TokenSettingError) throw new UsageError(error.message + hints[error.setting]);
    throw error;
  }
}

/** How the agent shows who it is: `token`, or the cloud of its machine. */
export function authOf(values: OptionValues, { env }: Pick<Terminal, "env">): string {
  return authKindOf({ env, ...tokenSettings(values) });
}

function tokenSettings(values: OptionValues) {
  return {
    auth: text(values, "auth"),
    token: text(values, "token"),
    tokenFile: text(values, "token-file"),
  };
}

/** Whether it can be dialled: `ws` and `wss` are taken for `http` and `https`. */
export function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^(https?|wss?):$/.test(new URL(url).protocol);
}

/** What the error's text, which has the names of the environment only, does not say. */
const hints: Readonly<Record<TokenSetting, string>> = {
  url: "; or give --url",
  token: "; or give --token or --token-file",
  tokenFile: "; --token-file or CODER_AGENT_TOKEN_FILE names it",
  auth: `; --auth or CODER_AGENT_AUTH must be one of ${authKinds.join(", ")}`,
};

/** How a command connects, in a role of its own: the agent's connection state is not touched. */
export async function dialOptionsOf(
  command: string,
  values: OptionValues,
  terminal: Terminal,
): Promise<NodeDialOptions<"negotiate">> {
  const options: NodeDialOptions = {
    ...(await targetOf(values, terminal)),
    version: versionOf(values),
    role: text(values, "role") ?? `agentwire-${command}`,
    signal: terminal.signal,
  };
  // a version that is only known at run time has the type of the newest: what it lacks answers so
  return options as NodeDialOptions<"negotiate">;
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
  return dialAgent(await dialOptionsOf(command, values, terminal));
}

/** What `--api-version` says. @throws UsageError when it is no version. */
export function versionOf(values: OptionValues): ApiVersionText | "negotiate" {
  const version = text(values, "api-version") ?? "negotiate";
  if (version === "negotiate") return version;
  try {
    parseVersion(version);
  } catch (error) {
    throw new UsageError(`--api-version: ${errorText(error)}`);
  }
  return version as ApiVersionText;
}
