import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { Agent } from "../../gen/coder/agent/v2/agent_pb.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { tailnetHandlers } from "../tailnet/handlers/index.js";
import type { TailnetDeps } from "../tailnet/tailnet.js";
import { appHandlers } from "./apps.js";
import { bannerHandlers } from "./banners.js";
import { boundaryHandlers } from "./boundary.js";
import { connectionHandlers } from "./connections.js";
import { contextHandlers } from "./context.js";
import type { HandlerDeps } from "./deps.js";
import { lifecycleHandlers } from "./lifecycle.js";
import { logHandlers } from "./logs.js";
import { manifestHandlers } from "./manifest.js";
import { metadataHandlers } from "./metadata.js";
import { resourceHandlers } from "./resources.js";
import { scriptHandlers } from "./scripts.js";
import { statsHandlers } from "./stats.js";
import { subAgentHandlers } from "./sub-agents.js";

/** All handlers of an agent's session, as a `routes(router)` function. */
export function agentRoutes(deps: HandlerDeps, tailnetDeps: TailnetDeps): (router: ConnectRouter) => void {
  const agent: Partial<ServiceImpl<typeof Agent>> = {
    ...manifestHandlers(deps),
    ...bannerHandlers(deps),
    ...statsHandlers(deps),
    ...lifecycleHandlers(deps),
    ...appHandlers(deps),
    ...metadataHandlers(deps),
    ...resourceHandlers(deps),
    ...logHandlers(deps),
    ...scriptHandlers(deps),
    ...connectionHandlers(deps),
    ...subAgentHandlers(deps),
    ...boundaryHandlers(deps),
    ...contextHandlers(deps),
  };
  const tailnet = tailnetHandlers(tailnetDeps);
  return (router) => {
    router.service(Agent, agent);
    router.service(Tailnet, tailnet);
  };
}
