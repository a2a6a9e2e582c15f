import { addressesOf } from "../../dial-request.js";
import { derpMapFor } from "../../tailnet/derp/derp-map-for.js";
import { derpMapJson } from "../../tailnet/derp/derp-map-json.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import type { RouteAnswer, UserCall } from "../routes.js";
import { readableAgent } from "./access.js";

/** `GET /workspaceagents/{id}/connection`: how to connect to an agent. S5.51. */
export async function getConnectionInfo(deps: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  await readableAgent(deps.handlers.store, call);
  return getGeneralConnectionInfo(deps, call);
}

/** `GET /workspaceagents/connection`: the same, whichever agent it is. S5.51. */
export async function getGeneralConnectionInfo(
  { handlers, network = {} }: HttpDeps,
  { request }: UserCall,
): Promise<RouteAnswer> {
  const { forceWebSockets = false, disableDirectConnections = false, hostnameSuffix = "" } = network;
  const { reachedAt } = addressesOf(request);
  return jsonAnswer(200, {
    derp_map: derpMapJson(derpMapFor(handlers.derpMap.current, reachedAt)),
    derp_force_websockets: forceWebSockets,
    disable_direct_connections: disableDirectConnections,
    ...(hostnameSuffix === "" ? {} : { hostname_suffix: hostnameSuffix }),
  });
}
