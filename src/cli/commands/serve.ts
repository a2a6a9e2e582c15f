import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { untilAborted } from "../../client/until-aborted.js";
import { errorText } from "../../rpc/error-text.js";
import {
  type ControlPlane,
  type ControlPlaneOptions,
  readWorkspaces,
  startControlPlane,
  WorkspacesFileError,
  watchWorkspaces,
} from "../../server/index.js";
import { type DefinedAgent, StoreConflict, type WorkspaceDefinition } from "../../store/index.js";
import { type ApiVersion, apiMajor, formatVersion, newestVersion } from "../../version/index.js";
import {
  type Command,
  type OptionValues,
  positiveInteger,
  refuseArguments,
  type Terminal,
  text,
  UsageError,
} from "../command.js";
import { databaseOptions, openKept } from "../database.js";
import { derpMapOptions, openDerpMap } from "../derp-map.js";
import { LiveView } from "../live-view.js";

const defaultListen = "127.0.0.1:3400";

/** What is served when no file says otherwise. */
const defaultWorkspaces: readonly WorkspaceDefinition[] = [
  { owner: "me", name: "dev", agents: [{ name: "main" }] },
];

export const serve: Command = {
  name: "serve",
  summary: "Runs a control plane for developing and testing agents",
  usage: "[--listen HOST:PORT] [--workspaces FILE] [--database WHERE] [--quiet]",
  options: {
    listen: {
      type: "string",
      value: "HOST:PORT",
      help: `${defaultListen} by default; port 0 takes a free one`,
    },
    workspaces: {
      type: "string",
      value: "FILE",
      completion: "file",
      help: "who may connect; one agent with a new token by default",
    },
    ...databaseOptions,
    ...derpMapOptions,
    "admin-token": {
      type: "string",
      value: "TOKEN",
      help: "for the admin API; AGENTWIRE_ADMIN_TOKEN by default, and a new one without that",
    },
    "max-version": {
      type: "string",
      value: "2.N",
      help: "be a server of this version of the API: later ones are refused when dialled",
    },
    "strict-versions": {
      type: "boolean",
      help: "a connection has only what the version has that it was dialled with",
    },
    drain: {
      type: "string",
      value: "SECONDS",
      help: "how long /readyz says that this ends before it does; 0 by default",
    },
    quiet: { type: "boolean", help: "do not show what happens" },
  },
  examples: [
    "agentwire serve",
    "agentwire serve --listen 127.0.0.1:0 --workspaces workspaces.yaml",
    "agentwire serve --database ./data",
    "agentwire serve --max-version 2.3 --strict-versions",
    "agentwire serve --database postgres://agentwire@db.example.com/agentwire --events nats://nats.example.com",
  ],
  async run(values, positionals, terminal) {
    refuseArguments("serve", positionals);
    const file = text(values, "workspaces");
    const workspaces = file === undefined ? defaultWorkspaces : await workspacesIn(file);
    const { host, port } = addressOf(text(values, "listen") ?? defaultListen);
    const adminToken = adminTokenOf(values, terminal);
    const serverVersion = maxVersionOf(values);
    const strictVersions = values["strict-versions"] === true;
    const drainMs = 1000 * (positiveInteger(values, "drain") ?? 0);
    const derpMap = await openDerpMap(values, terminal);
    try {
      const { store, events, coordinator, where } = await openKept(values, terminal);
      const options: ControlPlaneOptions = {
        host,
        port,
        workspaces,
        adminToken,
        serverVersion,
        strictVersions,
        ...(derpMap && { derpMap }),
        ...(store && { store }),
        ...(events && { events }),
        ...(coordinator && { tailnet: { coordinator } }),
      };
      try {
        await serveUntilEnd(options, { values, terminal, where, drainMs });
      } finally {
        await coordinator?.close();
      }
      return 0;
    } finally {
      await derpMap?.close();
    }
  },
};

/** What is said and heeded while a control plane runs. */
interface Serving {
  values: OptionValues;
  terminal: Terminal;
  /** For people: where state is. */
  where: string;
  drainMs: number;
}

/** Runs a control plane until the terminal ends it. */
async function serveUntilEnd(options: ControlPlaneOptions, serving: Serving): Promise<void> {
  const { values, terminal, where, drainMs } = serving;
  const { plane, view } = await startShown(options, values["quiet"] === true ? undefined : terminal);
  const file = text(values, "workspaces");
  const unwatch = file === undefined ? undefined : watchFile(file, options.workspaces ?? [], plane, terminal);
  try {
    const agents = plane.agents.map(shownAgent);
    const page = pageUrl(plane.url, options.adminToken);
    const ready = { url: plane.url, agents, admin_token: options.adminToken, page };
    terminal.stdout.write(`${JSON.stringify(ready)}\n`);
    terminal.stderr.write(`${where}\n`);
    if (values["quiet"] !== true) terminal.stderr.write(`${whereThePageIs(page)}\n`);
    const { host = "" } = options;
    if (!isLoopback(host)) terminal.stderr.write("There is no TLS here: put a proxy in front of it.\n");
    await untilAborted(terminal.signal);
    plane.drain();
    if (drainMs > 0) await new Promise((resolve) => setTimeout(resolve, drainMs));
  } finally {
    await unwatch?.();
    await plane.close(closeTimeoutMs);
    await view?.close();
  }
}

/** The page of a control plane. The token is in the fragment, which browsers do not send. */
export function pageUrl(url: string, adminToken = ""): string {
  return `${url}/#token=${encodeURIComponent(adminToken)}`;
}

/** For people: the link of the page. */
export function whereThePageIs(page: string): string {
  return `The page is at ${page}`;
}

const leastAdminTokenCharacters = 16;

function adminTokenOf(values: OptionValues, { env }: Terminal): string {
  const token = text(values, "admin-token") ?? env["AGENTWIRE_ADMIN_TOKEN"];
  if (token === undefined || token === "") return randomUUID();
  if (token.length < leastAdminTokenCharacters) {
    throw new UsageError(`--admin-token must have at least ${leastAdminTokenCharacters} characters`);
  }
  return token;
}

function maxVersionOf(values: OptionValues): ApiVersion {
  const given = text(values, "max-version");
  if (given === undefined) return newestVersion;
  const [, minor] = new RegExp(`^${apiMajor}\\.(\\d{1,3})$`).exec(given) ?? [];
  if (minor === undefined || Number(minor) > newestVersion.minor) {
    const range = `${apiMajor}.0 to ${formatVersion(newestVersion)}`;
    throw new UsageError(`--max-version ${given}: must be a version of the API, ${range}`);
  }
  return { major: apiMajor, minor: Number(minor) };
}

function shownAgent({ workspace, agent, id, token, ownerId }: DefinedAgent) {
  return { workspace, agent, id, token, owner_id: ownerId };
}

/** Takes over changes of the file; agents that are new are one more line of JSON. */
function watchFile(
  file: string,
  definitions: readonly WorkspaceDefinition[],
  { store, events }: ControlPlane,
  { stdout, stderr }: Terminal,
): () => Promise<void> {
  return watchWorkspaces(file, {
    store,
    events,
    definitions,
    onChange: (agents) => {
      const added = agents.filter(({ isNew }) => isNew);
      stderr.write(`${file} has been read again; ${added.length} of its agents are new.\n`);
      if (added.length > 0) stdout.write(`${JSON.stringify({ agents: added.map(shownAgent) })}\n`);
    },
    onError: (error) => stderr.write(`${error.message}\nWhat was declared before stays.\n`),
  });
}

const closeTimeoutMs = 2000;
const shownMetadataIntervalMs = 500;

/** Starts a control plane, and shows on the terminal what happens on it. */
export async function startShown(
  options: ControlPlaneOptions,
  terminal: Terminal | undefined,
): Promise<{ plane: ControlPlane; view: LiveView | undefined }> {
  let view: LiveView | undefined;
  const plane = await startControlPlane({
    // what is shown is shown soon
    ...(terminal === undefined ? {} : { metadataIntervalMs: shownMetadataIntervalMs }),
    ...options,
    onSession: (who, connection) => view?.session(who, connection),
  }).catch((error: unknown) => {
    throw error instanceof StoreConflict ? new UsageError(error.message) : error;
  });
  if (terminal !== undefined) view = new LiveView(plane, terminal);
  return { plane, view };
}

/** @throws UsageError when the file cannot be read, or says something that cannot be. */
export async function workspacesIn(file: string): Promise<WorkspaceDefinition[]> {
  try {
    return readWorkspaces(await readFile(file, "utf8"), file);
  } catch (error) {
    if (error instanceof WorkspacesFileError) throw new UsageError(error.message);
    throw new UsageError(`--workspaces ${file}: ${errorText(error)}`);
  }
}

/** `HOST:PORT`, `:PORT`, `[::1]:PORT`. @throws UsageError for anything else. */
export function addressOf(listen: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(listen);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new UsageError(`--listen ${listen}: must be HOST:PORT`);
  return { host: match[1] ?? (match[2] || "127.0.0.1"), port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
