import { identityRoutes } from "../identity/index.js";
import { derpMapRoute } from "../tailnet/derp/derp-map-route.js";
import { agentRoutes } from "./agents/routes.js";
import type { HttpDeps } from "./options.js";
import type { Route } from "./routes.js";
import { userRoutes } from "./users/routes.js";

/**
 * All routes beside the RPC. The first pattern that a path has wins: what is for anyone at
 * `/api/v2/workspaceagents/NAME` goes before the users' `/api/v2/workspaceagents/{id}`.
 */
export function httpRoutes(deps: HttpDeps): readonly Route[] {
  const { handlers, instanceIdentity = {} } = deps;
  const identity = identityRoutes({ store: handlers.store, identity: instanceIdentity });
  return [...agentRoutes(deps), ...identity, derpMapRoute(handlers), ...userRoutes(deps)];
}
