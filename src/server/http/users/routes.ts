import type { HttpDeps } from "../options.js";
import type { Route, RouteAnswer, UserCall } from "../routes.js";
import { getAgent, getAppStatuses, getLatestAppStatus, getScriptTimings } from "./agent.js";
import { getConnectionInfo, getGeneralConnectionInfo } from "./connection-info.js";
import { getConnectionLog } from "./connection-log.js";
import { getLogs } from "./logs.js";
import { watchMetadataEvents, watchMetadataMessages } from "./watch-metadata.js";

/** What people and their tools ask about agents. S5.42–S5.47, S5.51. */
export function userRoutes(deps: HttpDeps): Route[] {
  const get = (path: string, answer: (deps: HttpDeps, call: UserCall) => Promise<RouteAnswer>) =>
    ({
      method: "GET",
      path: `/api/v2/${path}`,
      who: "user",
      answer: (call: UserCall) => answer(deps, call),
    }) as const;
  return [
    get("workspaceagents/connection", getGeneralConnectionInfo),
    get("workspaceagents/{id}", getAgent),
    get("workspaceagents/{id}/connection", getConnectionInfo),
    get("workspaceagents/{id}/logs", getLogs),
    get("workspaceagents/{id}/startup-logs", getLogs),
    get("workspaceagents/{id}/watch-metadata", watchMetadataEvents),
    get("workspaceagents/{id}/watch-metadata-ws", watchMetadataMessages),
    get("workspaceagents/{id}/script-timings", getScriptTimings),
    get("workspaceagents/{id}/app-statuses", getAppStatuses),
    get("workspaces/{id}/latest-app-status", getLatestAppStatus),
    get("connectionlog", getConnectionLog),
  ];
}
