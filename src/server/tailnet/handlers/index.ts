import type { TailnetDeps } from "../tailnet.js";
import { coordinateHandlers } from "./coordinate.js";
import { derpMapHandlers } from "./derp-maps.js";
import type { TailnetHandlers } from "./handlers.js";
import { resumeTokenHandlers } from "./resume-token.js";
import { telemetryHandlers } from "./telemetry.js";
import { workspaceUpdateHandlers } from "./workspace-updates.js";

/** All handlers of the tailnet service, for agents' connections and for users'. */
export function tailnetHandlers(deps: TailnetDeps): TailnetHandlers {
  return {
    ...derpMapHandlers(deps),
    ...coordinateHandlers(deps),
    ...telemetryHandlers(deps),
    ...resumeTokenHandlers(deps),
    ...workspaceUpdateHandlers(deps),
  };
}
