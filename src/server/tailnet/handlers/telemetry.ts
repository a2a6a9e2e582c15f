import type { TailnetDeps } from "../tailnet.js";
import { tailnetSessionOf } from "../tailnet-session.js";
import type { TailnetHandlers } from "./handlers.js";

/** What network clients tell of their connections. S4.7, S4.8. */
export function telemetryHandlers({ telemetry }: TailnetDeps): TailnetHandlers {
  return {
    postTelemetry({ events }, context) {
      const { agentId, user, peer } = tailnetSessionOf(context);
      telemetry.add(events, { agentId, userId: user?.id, peerId: peer.id });
      return {};
    },
  };
}
