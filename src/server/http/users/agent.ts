import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import { QueryReader } from "../query.js";
import type { RouteAnswer, UserCall } from "../routes.js";
import { isoTime } from "../times.js";
import { readableAgent, readableWorkspace, uuidOfPath } from "./access.js";
import { agentJson, appStatusJson } from "./agent-json.js";

/** So many of the latest statuses are in an agent's JSON. */
const shownStatuses = 25;
const maxStatuses = 1000;

/** `GET /workspaceagents/{id}`: an agent. S5.43. */
export async function getAgent(deps: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  const { store, nowUs } = deps.handlers;
  const { agent, workspace } = await readableAgent(store, call);
  const [records, logSources, statuses] = await Promise.all([
    store.manifestRecords(agent.id),
    store.logSources(agent.id),
    store.appStatuses({ agentId: agent.id }, shownStatuses),
  ]);
  const { disconnectTimeoutMs, troubleshootingUrl = "" } = deps;
  return jsonAnswer(
    200,
    agentJson({
      agent,
      workspace,
      records,
      logSources,
      statuses,
      nowUs: nowUs(),
      disconnectTimeoutMs,
      troubleshootingUrl,
    }),
  );
}

/** `GET /workspaceagents/{id}/script-timings`: runs of the agent's scripts, oldest first. */
export async function getScriptTimings({ handlers }: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  const { agent } = await readableAgent(handlers.store, call);
  const [timings, { scripts }] = await Promise.all([
    handlers.store.scriptTimings(agent.id),
    handlers.store.manifestRecords(agent.id),
  ]);
  const names = new Map(scripts.map(({ id, displayName }) => [id, displayName]));
  return jsonAnswer(
    200,
    timings.map((timing) => ({
      script_id: timing.scriptId,
      display_name: names.get(timing.scriptId) ?? "",
      started_at: isoTime(timing.startedAtUs),
      ended_at: isoTime(timing.endedAtUs),
      exit_code: timing.exitCode,
      stage: timing.stage,
      status: timing.status,
    })),
  );
}

/** `GET /workspaceagents/{id}/app-statuses?limit=`: statuses of the agent's apps, newest first. */
export async function getAppStatuses({ handlers }: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  const { agent } = await readableAgent(handlers.store, call);
  const query = new QueryReader(call.query);
  const limit = query.integer("limit", 1, maxStatuses) ?? shownStatuses;
  query.check();
  const statuses = await handlers.store.appStatuses({ agentId: agent.id }, limit);
  return jsonAnswer(200, statuses.map(appStatusJson));
}

/** `GET /workspaces/{id}/latest-app-status`: what an app of the workspace said last; `null` when none has. */
export async function getLatestAppStatus({ handlers }: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  const { id: workspaceId } = await readableWorkspace(handlers.store, call.user, uuidOfPath(call));
  const [latest] = await handlers.store.appStatuses({ workspaceId }, 1);
  return jsonAnswer(200, latest === undefined ? null : appStatusJson(latest));
}
