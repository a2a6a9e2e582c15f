import { resolve } from "node:path";
import { refreshChatContext } from "../../client/index-node.js";
import type { ContextResource, ContextSnapshot } from "../../gen/coder/agentsocket/v1/agentsocket_pb.js";
import type { AgentSocketConnection } from "../../local/index.js";
import type { ContextRpc } from "../../local/socket/context-routes.js";
import { errorText } from "../../rpc/error-text.js";
import { printable } from "../colors.js";
import {
  type Command,
  jsonOption,
  type OptionValues,
  type Terminal,
  text,
  UsageError,
  writeJson,
} from "../command.js";
import { authOf, targetOf, targetOptions } from "../connection-options.js";
import { connectToSocket, socketOptions } from "../socket-options.js";
import { type Column, tableText } from "../table.js";

/** Connects to the agent on this machine. */
export type AgentSocketOpener = (values: OptionValues, terminal: Terminal) => Promise<ContextCalls>;

/** What the command needs of the agent's socket. */
export interface ContextCalls {
  readonly agentSocket: Pick<AgentSocketConnection["agentSocket"], ContextRpc>;
  close(): Promise<void>;
}

/** One run of one action. */
interface Run {
  agentSocket: ContextCalls["agentSocket"];
  /** The path that was given; empty for none. */
  path: string;
  values: OptionValues;
  terminal: Terminal;
}

interface Action {
  path: "none" | "optional" | "required";
  run(run: Run): Promise<void>;
}

const actions: Readonly<Record<string, Action>> = {
  list: { path: "none", run: list },
  show: { path: "optional", run: show },
  add: { path: "required", run: add },
  remove: { path: "required", run: remove },
  refresh: { path: "none", run: refresh },
};

/** The command, with the agent's socket opened by a function. C5.38. */
export function contextCommand(open: AgentSocketOpener): Command {
  return {
    name: "context",
    summary: "Shows and changes where the agent has its context from",
    usage: `${Object.keys(actions).join("|")} [PATH] [options]`,
    options: { json: jsonOption, ...socketOptions, ...targetOptions },
    completion: { first: Object.keys(actions), rest: "file" },
    examples: [
      "agentwire context list",
      "agentwire context show",
      "agentwire context add ./docs",
      "agentwire context remove ./docs",
      "agentwire context refresh",
      "agentwire context list --json",
    ],
    async run(values, positionals, terminal) {
      const { action, path } = actionOf(positionals);
      const socket = await opened(open, values, terminal);
      try {
        await action.run({ agentSocket: socket.agentSocket, path, values, terminal });
      } finally {
        await socket.close();
      }
      return 0;
    },
  };
}

export const context = contextCommand((values, terminal) =>
  connectToSocket(values, terminal, terminal.signal),
);

function actionOf([name, ...paths]: readonly string[]): { action: Action; path: string } {
  const names = Object.keys(actions).join(", ");
  if (name === undefined) throw new UsageError(`say what to do: one of ${names}`);
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) throw new UsageError(`there is no "context ${name}"; there are ${names}`);
  const [path = ""] = paths;
  if (action.path === "required" && (paths.length !== 1 || path === "")) {
    throw new UsageError(`context ${name} takes exactly one path`);
  }
  const most = action.path === "none" ? 0 : 1;
  if (paths.length > most) throw new UsageError(`context ${name}: "${paths[most]}" is too much`);
  return { action, path: path === "" ? "" : pathForAgent(path) };
}

/** Absolute, as the agent may run elsewhere; `~` stays, as its home directory is its own. */
function pathForAgent(path: string): string {
  return /^~(?=\/|$)/.test(path) ? path : resolve(path);
}

async function opened(
  open: AgentSocketOpener,
  values: OptionValues,
  terminal: Terminal,
): Promise<ContextCalls> {
  try {
    return await open(values, terminal);
  } catch (error) {
    terminal.signal.throwIfAborted();
    throw new Error(`connect to agent socket (run this from inside the workspace): ${errorText(error)}`, {
      cause: error,
    });
  }
}

async function list({ agentSocket, values, terminal }: Run): Promise<void> {
  const options = { signal: terminal.signal };
  const { sources } = await agentSocket.contextSources({}, options);
  const isJson = values["json"] === true;
  if (sources.length === 0) {
    if (isJson) writeJson(terminal, { sources: [] });
    else terminal.stdout.write("No context sources registered.\n");
    return;
  }
  const { snapshot } = await agentSocket.getContextSnapshot({}, options);
  const rows = sources.map(({ path }) => ({ path, resources: resourcesOf(snapshot, path).length }));
  if (isJson) return writeJson(terminal, { sources: rows, ...errorIn(snapshot) });
  terminal.stdout.write(tableText(sourceColumns, rows));
  tellError(snapshot, terminal);
}

async function show({ agentSocket, path, values, terminal }: Run): Promise<void> {
  const options = { signal: terminal.signal };
  const source = path === "" ? undefined : (await agentSocket.getContextSource({ path }, options)).source;
  const { snapshot } = await agentSocket.getContextSnapshot({}, options);
  const resources = path === "" ? (snapshot?.resources ?? []) : resourcesOf(snapshot, source?.path ?? path);
  if (values["json"] === true) {
    const shown = resources.map((resource) => shownResource(resource));
    const version = String(snapshot?.version ?? 0n);
    return writeJson(terminal, { version, source: source?.path, resources: shown, ...errorIn(snapshot) });
  }
  terminal.stdout.write(
    path === ""
      ? `Agent context (version ${snapshot?.version ?? 0n}, ${resources.length} resources)\n`
      : `Source: ${printable(source?.path ?? path)} (${resources.length} resources)\n`,
  );
  if (resources.length > 0) terminal.stdout.write(resourceTable(resources));
  tellError(snapshot, terminal);
}

async function add({ agentSocket, path, values, terminal }: Run): Promise<void> {
  const { source } = await agentSocket.addContextSource({ path }, { signal: terminal.signal });
  if (values["json"] === true) return writeJson(terminal, { added: source?.path ?? path });
  terminal.stdout.write(`Registered context source ${printable(source?.path ?? path)}\n`);
}

async function remove({ agentSocket, path, values, terminal }: Run): Promise<void> {
  await agentSocket.removeContextSource({ path }, { signal: terminal.signal });
  if (values["json"] === true) return writeJson(terminal, { removed: path });
  terminal.stdout.write(`Removed context source ${printable(path)}\n`);
}

async function refresh({ agentSocket, values, terminal }: Run): Promise<void> {
  const { snapshot } = await agentSocket.resyncContext({}, { signal: terminal.signal });
  const { version = 0n, resources = [] } = snapshot ?? {};
  const isJson = values["json"] === true;
  if (!isJson) {
    terminal.stdout.write(`Re-resolved agent context (version ${version}, ${resources.length} resources).\n`);
    tellError(snapshot, terminal);
  }
  const refreshedChats = isTargetKnown(values, terminal) ? await refreshChats(values, terminal) : undefined;
  if (isJson) {
    const facts = { version: String(version), resources: resources.length, refreshedChats };
    writeJson(terminal, { ...facts, ...errorIn(snapshot) });
  } else if (refreshedChats !== undefined) {
    terminal.stdout.write(`Refreshed ${refreshedChats} drifted chat(s).\n`);
  }
}

async function refreshChats(values: OptionValues, terminal: Terminal): Promise<number> {
  return refreshChatContext({ ...(await targetOf(values, terminal)), signal: terminal.signal });
}

/** The agent's own part needs no control plane, so that none may be known. */
function isTargetKnown(values: OptionValues, { env }: Terminal): boolean {
  const url = text(values, "url") ?? env["CODER_AGENT_URL"];
  const tokens = [
    ...["token", "token-file"].map((name) => text(values, name)),
    ...["CODER_AGENT_TOKEN", "CODER_AGENT_TOKEN_FILE"].map((name) => env[name]),
  ];
  return Boolean(url) && (authOf(values, { env }) !== "token" || tokens.some(Boolean));
}

/** What was found below a source. */
function resourcesOf(snapshot: ContextSnapshot | undefined, source: string): ContextResource[] {
  const below = source.endsWith("/") ? source : `${source}/`;
  return (snapshot?.resources ?? []).filter((resource) =>
    [resource.source, resource.sourcePath].some((path) => path === source || path.startsWith(below)),
  );
}

/** What JSON has of an error. */
function errorIn(snapshot: ContextSnapshot | undefined): { error?: string } {
  const error = snapshot?.snapshotError ?? "";
  return error === "" ? {} : { error };
}

function shownResource({ kind, status, sizeBytes, name, source, error }: ContextResource) {
  return { kind, status, sizeBytes: Number(sizeBytes), name, source, ...(error === "" ? {} : { error }) };
}

/** Says that the agent could not look everywhere. */
function tellError(snapshot: ContextSnapshot | undefined, { stdout }: Terminal): void {
  const error = snapshot?.snapshotError ?? "";
  if (error !== "") stdout.write(`Snapshot reported an error: ${printable(error)}\n`);
}

const sourceColumns: readonly Column<{ path: string; resources: number }>[] = [
  { heading: "PATH", text: ({ path }) => oneLine(path) },
  { heading: "RESOURCES", text: ({ resources }) => String(resources) },
];

const resourceColumns: readonly Column<ContextResource>[] = [
  { heading: "KIND", text: ({ kind }) => oneLine(kind) },
  { heading: "STATUS", text: ({ status }) => oneLine(status) },
  { heading: "BYTES", text: ({ sizeBytes }) => String(sizeBytes) },
  { heading: "NAME", text: ({ name }) => oneLine(name) },
  { heading: "SOURCE", text: ({ source }) => oneLine(source) },
];

const errorColumn: Column<ContextResource> = { heading: "ERROR", text: ({ error }) => oneLine(error) };

function resourceTable(resources: readonly ContextResource[]): string {
  const isErrorFree = resources.every(({ error }) => error === "");
  return tableText(isErrorFree ? resourceColumns : [...resourceColumns, errorColumn], resources);
}

/** Texts from files may have lines. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
