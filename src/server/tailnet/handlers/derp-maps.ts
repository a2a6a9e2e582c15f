import { ended } from "../../http/bell.js";
import type { TailnetDeps } from "../tailnet.js";
import type { TailnetHandlers } from "./handlers.js";

/** The relays of the deployment. S4.4–S4.6. */
export function derpMapHandlers({ derpMap }: TailnetDeps): TailnetHandlers {
  return {
    /** The map at once; the stream stays open, as an agent that sees its end dials again. */
    async *streamDERPMaps(_request, context) {
      yield derpMap();
      await ended(context.signal);
    },
  };
}
