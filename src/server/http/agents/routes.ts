import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import type { AgentCall, Route } from "../routes.js";
import { patchAppStatus } from "./app-status.js";
import { externalAuthRoute } from "./external-auth.js";
import { getGitSshKey } from "./git-ssh-key.js";
import { postLogSnapshot } from "./log-snapshot.js";
import { postLogSource } from "./log-source.js";
import { patchLogs } from "./logs.js";
import { getReinit } from "./reinit.js";

const me = "/api/v2/workspaceagents/me";

/** What agents ask for beside the RPC. S5.4. */
export function agentRoutes(deps: HttpDeps): Route[] {
  const externalAuth = externalAuthRoute(deps);
  const route = (
    method: Route["method"],
    path: string,
    answer: (call: AgentCall) => ReturnType<typeof externalAuth>,
  ) => ({ method, path: `${me}/${path}`, who: "agent", answer }) satisfies Route;
  return [
    route("PATCH", "logs", (call) => patchLogs(deps, call)),
    route("PATCH", "app-status", (call) => patchAppStatus(deps, call)),
    route("POST", "log-source", (call) => postLogSource(deps, call)),
    route("GET", "external-auth", externalAuth),
    route("GET", "gitauth", externalAuth),
    route("GET", "gitsshkey", (call) => getGitSshKey(deps, call)),
    route("GET", "reinit", (call) => getReinit(deps, call)),
    route("POST", "tasks/{task}/log-snapshot", (call) => postLogSnapshot(deps, call)),
    // there are no chats here whose context could be read anew: S5.38
    route("POST", "experimental/chat-context/refresh", async () => jsonAnswer(200, { refreshed: 0 })),
  ];
}
