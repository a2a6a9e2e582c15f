import type { AgentStore, LogsInserted, NewLog } from "../../store/index.js";
import type { HandlerDeps } from "./deps.js";
import { doing } from "./failure.js";

/** Where lines go whose sender has registered no source. S3.77. */
const externalLogSource = {
  id: "3b579bf4-1ed8-4b99-87a8-e9a1e3410410",
  displayName: "External",
  icon: "/emojis/1f310.png",
} as const;

/** Whose log it is. */
export interface LogOwner {
  agentId: string;
  ownerId: string;
  workspaceId: string;
}

/** Agents whose external source this process has stored: it is always the same, and is asked for with each batch. */
const storedFor = new WeakMap<AgentStore, Set<string>>();
const maxRemembered = 100_000;

/** Makes the external source for an agent, where it is not there yet. @returns its id. S3.77. */
export async function insertExternalSource(
  { store }: HandlerDeps,
  agentId: string,
  createdAtUs: number,
): Promise<string> {
  const stored = storedFor.get(store) ?? new Set<string>();
  storedFor.set(store, stored);
  if (stored.has(agentId)) return externalLogSource.id;
  await doing("insert external workspace agent log source", () =>
    store.insertLogSource({ agentId, createdAtUs, ...externalLogSource }),
  );
  if (stored.size >= maxRemembered) stored.clear();
  stored.add(agentId);
  return externalLogSource.id;
}

/** Stores a batch of lines, and tells those who follow them. That it was too much is for the caller to tell. */
export async function insertLines(
  deps: HandlerDeps,
  { agentId, ownerId, workspaceId }: LogOwner,
  logSourceId: string,
  createdAtUs: number,
  lines: readonly NewLog[],
): Promise<LogsInserted> {
  const sanitized = lines.map(({ level, output }) => ({ level, output: withoutNul(output) }));
  const inserted = await doing("insert workspace agent logs", () =>
    deps.store.insertLogs(agentId, logSourceId, createdAtUs, sanitized),
  );
  if (inserted.kind === "overflow") return inserted;
  deps.events.publish({ topic: "logs", agentId, createdAfter: inserted.firstId - 1 });
  if (inserted.wereFirst) {
    deps.events.publish({ topic: "workspace", kind: "agt_first_logs", ownerId, workspaceId, agentId });
  }
  return inserted;
}

/** Tells that an agent may store no more lines. S3.81. */
export function publishOverflow({ events }: HandlerDeps, { agentId, ownerId, workspaceId }: LogOwner): void {
  events.publish({ topic: "workspace", kind: "agt_logs_overflow", ownerId, workspaceId, agentId });
}

/** A NUL has no place in a stored text. Bytes that are not UTF-8 do not get through a decoder. S3.79. */
function withoutNul(output: string): string {
  return output.includes("\0") ? output.replaceAll("\0", "❌") : output;
}
