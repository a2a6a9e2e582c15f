import type { ConnectionLogRecord, ConnectionType } from "../../../store/index.js";
import { forbidden } from "../agents/key-scope.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import { QueryReader } from "../query.js";
import type { RouteAnswer, UserCall } from "../routes.js";
import { isoTime } from "../times.js";
import { notFound, readableWorkspace } from "./access.js";

const types: readonly ConnectionType[] = ["ssh", "vscode", "jetbrains", "reconnecting_pty"];
const defaultLimit = 100;
const maxLimit = 1000;
const maxOffset = 1_000_000;

/**
 * `GET /connectionlog`: who has connected to agents, newest first. Who may not read everything must say of which
 * workspace or agent.
 */
export async function getConnectionLog({ handlers }: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  const query = new QueryReader(call.query);
  const filter = {
    workspaceId: query.uuid("workspace_id"),
    agentId: query.uuid("agent_id"),
    type: query.word("type", types),
    sinceUs: query.timeUs("since"),
    untilUs: query.timeUs("until"),
    isOpen: query.boolean("open"),
    offset: query.integer("offset", 0, maxOffset),
    limit: query.integer("limit", 1, maxLimit) ?? defaultLimit,
  };
  query.check();
  await checkAccess(handlers, call, filter);
  const entries = await handlers.store.connectionLog(filter);
  return jsonAnswer(200, { connection_logs: entries.map(entryJson) });
}

async function checkAccess(
  { store }: HttpDeps["handlers"],
  { user }: UserCall,
  { workspaceId, agentId }: { workspaceId: string | undefined; agentId: string | undefined },
): Promise<void> {
  if (user.mayRead === "everything") return;
  if (workspaceId !== undefined) await readableWorkspace(store, user, workspaceId);
  else if (agentId !== undefined) {
    const agent = await store.agent(agentId);
    if (agent === undefined) throw notFound();
    await readableWorkspace(store, user, agent.workspaceId);
  } else throw forbidden();
}

function entryJson(entry: ConnectionLogRecord) {
  const { disconnectedAtUs } = entry;
  return {
    id: entry.id,
    connection_id: entry.connectionId,
    workspace_id: entry.workspaceId,
    agent_id: entry.agentId,
    agent_name: entry.agentName,
    type: entry.type,
    ip: entry.ip ?? null,
    connect_time: isoTime(entry.connectedAtUs),
    disconnect_time: disconnectedAtUs === undefined ? null : isoTime(disconnectedAtUs),
    exit_code: entry.statusCode ?? null,
    disconnect_reason: entry.reason ?? null,
  };
}
