import { derpMapChanges } from "../derp/derp-map-changes.js";
import { derpMapFor } from "../derp/derp-map-for.js";
import type { TailnetDeps } from "../tailnet.js";
import { tailnetSessionOf } from "../tailnet-session.js";
import type { TailnetHandlers } from "./handlers.js";

/** The relays of the deployment. S4.4–S4.6. */
export function derpMapHandlers({ derpMap, streams }: TailnetDeps): TailnetHandlers {
  return {
    /** It stays open until the caller ends it, as an agent that sees its end dials again. */
    async *streamDERPMaps(_request, context) {
      const { reachedAt } = tailnetSessionOf(context);
      const maps = streams.within(context.signal, (signal) => derpMapChanges(derpMap, signal));
      for await (const map of maps) yield derpMapFor(map, reachedAt);
    },
  };
}
