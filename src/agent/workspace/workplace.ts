import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import type { Manifest } from "../../client/index-node.js";
import { formatUuid } from "../../codec/index.js";

/** What scripts of an agent run with. */
export interface Workplace {
  /** The manifest's directory where it exists, else the home directory. */
  directory: string;
  environment: Record<string, string>;
}

/** A path of the manifest: `~` and variables expanded, relative to home; nothing stays nothing. C4.28. */
export function expandDirectory(directory: string, environment: NodeJS.ProcessEnv = process.env): string {
  if (directory === "") return "";
  const home = homedir();
  const expanded = expandVariables(
    directory.replace(/^~(?=\/|$)/, () => home),
    environment,
  );
  return isAbsolute(expanded) ? expanded : join(home, expanded);
}

/** `$NAME` and `${NAME}`; a name without a value becomes nothing. */
function expandVariables(text: string, environment: NodeJS.ProcessEnv): string {
  return text.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_all, braced?: string, bare?: string) => environment[braced ?? bare ?? ""] ?? "",
  );
}

/** What an agent's scripts run with, besides the manifest. */
export interface WorkplaceOptions {
  url: string;
  token: string;
  /** Programs for scripts; comes first in their `PATH`. */
  binDirectory: string;
  dataDirectory: string;
  /** Comes last, over everything else. */
  environment: Readonly<Record<string, string>>;
  /** Told of variables that no environment can have. */
  onWarning(text: string): void;
}

/** Makes the environment of commands. C4.84: the process's own, over it what is known of the workspace, the manifest's, secrets. */
export async function workplaceOf(manifest: Manifest, options: WorkplaceOptions): Promise<Workplace> {
  const environment: Record<string, string> = {};
  const set = (name: string, value: string | undefined) => {
    if (name === "" || value === undefined) return;
    // with one of these no command could be started
    if (`${name}${value}`.includes("\0")) options.onWarning(`variable ${name} has a NUL and is left out`);
    else environment[name] = value;
  };
  for (const [name, value] of Object.entries(process.env)) set(name, value);
  set("CODER", "true");
  set("CODER_WORKSPACE_NAME", manifest.workspaceName);
  set("CODER_WORKSPACE_AGENT_NAME", manifest.agentName);
  set("CODER_WORKSPACE_OWNER_NAME", manifest.ownerUsername);
  set("CODER_WORKSPACE_ID", formatUuid(manifest.workspaceId));
  set("CODER_AGENT_URL", options.url);
  set("CODER_AGENT_TOKEN", options.token);
  set("CODER_SCRIPT_BIN_DIR", options.binDirectory);
  set("CODER_SCRIPT_DATA_DIR", options.dataDirectory);
  set("CS_DISABLE_GETTING_STARTED_OVERRIDE", "true");
  if (manifest.vsCodePortProxyUri !== "") set("VSCODE_PROXY_URI", manifest.vsCodePortProxyUri);
  for (const [name, value] of Object.entries(manifest.environmentVariables)) {
    set(name, expandVariables(value, environment));
  }
  for (const { envName, value } of manifest.secrets) set(envName, Buffer.from(value).toString());
  for (const [name, value] of Object.entries(options.environment)) set(name, value);
  set("PATH", [options.binDirectory, environment["PATH"]].filter(Boolean).join(delimiter));
  const directory = expandDirectory(manifest.directory);
  return { directory: (await isDirectory(directory)) ? directory : homedir(), environment };
}

async function isDirectory(path: string): Promise<boolean> {
  if (path === "") return false;
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
