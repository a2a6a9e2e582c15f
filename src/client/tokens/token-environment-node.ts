import { nodeFetch } from "../http/fetch-node.js";
import { awsIdentity } from "./aws-identity.js";
import { azureIdentity } from "./azure-identity.js";
import type { CloudIdentityOptions } from "./cloud-identity.js";
import { fixedToken } from "./fixed-token.js";
import { googleIdentity } from "./google-identity.js";
import { blankToken, tokenFile } from "./token-file-node.js";
import { TokenSettingError } from "./token-setting-error.js";
import type { TokenProvider } from "./token-source.js";

/** Where a token comes from, by what the environment does not say better. */
export interface TokenEnvironmentOptions extends Omit<CloudIdentityOptions, "url"> {
  /** Instead of `CODER_AGENT_URL`. */
  url?: string | URL | undefined;
  /** `process.env` by default. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Instead of `CODER_AGENT_AUTH`; one of {@link authKinds}. */
  auth?: string | undefined;
  /** Instead of `CODER_AGENT_TOKEN`, `CODER_AGENT_TOKEN_FILE` and `CODER_AGENT_AUTH`. */
  token?: string | undefined;
  /** Instead of `CODER_AGENT_TOKEN`, `CODER_AGENT_TOKEN_FILE` and `CODER_AGENT_AUTH`. */
  tokenFile?: string | undefined;
  /** Ends the first reading of a file. */
  signal?: AbortSignal | undefined;
}

const clouds = {
  aws: awsIdentity,
  "aws-instance-identity": awsIdentity,
  azure: azureIdentity,
  "azure-instance-identity": azureIdentity,
  gcp: googleIdentity,
  "google-instance-identity": googleIdentity,
};

/** What `CODER_AGENT_AUTH` may be: `token`, and clouds in short and as the reference names them. */
export const authKinds: readonly string[] = ["token", ...Object.keys(clouds)];

/**
 * The source of the token that `CODER_AGENT_URL`, `CODER_AGENT_AUTH`, `CODER_AGENT_TOKEN`, `CODER_AGENT_TOKEN_FILE` and
 * `CODER_AGENT_NAME` say, or the options instead of them. C1.39: a token goes before a file. Options go before the
 * environment, also a file before a token in the environment. A file is read once, so that one without a token is
 * told here.
 * @throws TokenSettingError when a setting is missing or cannot be used, in the order and the words of C1.40.
 */
export async function tokenSourceFromEnvironment(
  options: TokenEnvironmentOptions = {},
): Promise<TokenProvider> {
  const { env = process.env, signal = new AbortController().signal } = options;
  const url = options.url || env["CODER_AGENT_URL"];
  if (!url) throw new TokenSettingError("url", "CODER_AGENT_URL must be set");
  const auth = authKindOf(options);
  if (auth === "token") return tokenOf(isTokenGiven(options) ? options : settingsIn(env), signal);
  const identity = Object.hasOwn(clouds, auth) ? clouds[auth as keyof typeof clouds] : undefined;
  if (identity === undefined) throw new TokenSettingError("auth", `unknown agent auth type: ${auth}`);
  const agentName = options.agentName ?? env["CODER_AGENT_NAME"];
  // the metadata service is of this machine: what goes through a proxy is for the control plane
  return identity({ ...options, url, agentName, fetch: options.fetch ?? nodeFetch() });
}

/**
 * How this machine shows who it is: one of {@link authKinds}, where there is no mistake. A token among the options
 * goes before `CODER_AGENT_AUTH`. C1.39.
 */
export function authKindOf(
  options: Pick<TokenEnvironmentOptions, "env" | "auth" | "token" | "tokenFile">,
): string {
  const { env = process.env, auth } = options;
  return auth || (isTokenGiven(options) ? "token" : env["CODER_AGENT_AUTH"] || "token");
}

function isTokenGiven({ token, tokenFile }: TokenSettings): boolean {
  return token !== undefined || tokenFile !== undefined;
}

type TokenSettings = Pick<TokenEnvironmentOptions, "token" | "tokenFile">;

function settingsIn(env: Readonly<Record<string, string | undefined>>): TokenSettings {
  return { token: env["CODER_AGENT_TOKEN"], tokenFile: env["CODER_AGENT_TOKEN_FILE"] };
}

async function tokenOf({ token, tokenFile: path }: TokenSettings, signal: AbortSignal) {
  if (token) {
    if (token.trim() === "") throw blankToken();
    return fixedToken(token.trim());
  }
  if (!path) {
    throw new TokenSettingError("token", "Either CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set");
  }
  const source = tokenFile(path);
  await source.get(signal);
  return source;
}
