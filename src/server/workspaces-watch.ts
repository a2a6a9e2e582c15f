import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { asError } from "../rpc/error-text.js";
import type { ControlPlaneStore, DefinedAgent, WorkspaceDefinition } from "../store/index.js";
import type { Events } from "./events/index.js";
import { workspaceChanged } from "./workspace-changed.js";
import { readWorkspaces } from "./workspaces-file.js";

/** How a workspaces file is watched. */
export interface WorkspacesWatchOptions {
  store: ControlPlaneStore;
  /** Told which workspaces have changed. */
  events: Events;
  /** What the file has said so far. */
  definitions: readonly WorkspaceDefinition[];
  /** Told of the agents of the file after each change that was taken, those that are new marked. */
  onChange(agents: readonly (DefinedAgent & { isNew: boolean })[]): void;
  /** Told why a change was not taken; what was declared before stays. */
  onError(error: Error): void;
  /** How often the file is looked at, in milliseconds; 500 by default. */
  intervalMs?: number;
}

/**
 * Takes over each change of a workspaces file: entries that are new or different are declared again, and workspaces
 * that were in the file and are not any more are deleted.
 * @returns what ends it; it resolves when a change that is being taken has been.
 */
export function watchWorkspaces(file: string, options: WorkspacesWatchOptions): () => Promise<void> {
  const { store, events, onChange, onError, intervalMs = 500 } = options;
  let current = options.definitions;
  let known = new Set<string>();
  let taking: Promise<void> = Promise.resolve();

  const take = async () => {
    const next = readWorkspaces(await readFile(file, "utf8"), file);
    const agents = await store.define(next);
    const kept = new Set(next.map(keyOf));
    const gone = new Set(current.map(keyOf).filter((key) => !kept.has(key)));
    for (const workspace of await store.workspaces()) {
      const key = keyOf({ owner: workspace.ownerUsername, name: workspace.name });
      if (!gone.has(key) && !kept.has(key)) continue;
      if (gone.has(key)) await store.deleteWorkspace(workspace.id);
      workspaceChanged(events, workspace);
    }
    current = next;
    onChange(agents.map((agent) => ({ ...agent, isNew: !known.has(agent.id) })));
    known = new Set(agents.map(({ id }) => id));
  };
  const onFileChange = () => {
    taking = taking.then(take).catch((error: unknown) => {
      onError(asError(error));
    });
  };

  // who is there already is not new
  taking = store.define(current).then((agents) => {
    known = new Set(agents.map(({ id }) => id));
  });
  watchFile(file, { interval: intervalMs }, onFileChange);
  return async () => {
    unwatchFile(file, onFileChange);
    await taking.catch(() => {});
  };
}

function keyOf({
  owner,
  name,
  isPrebuilt,
}: Pick<WorkspaceDefinition, "owner" | "name" | "isPrebuilt">): string {
  return `${isPrebuilt ? "prebuilds" : owner}/${name}`;
}
