import { addressesOf } from "../../dial-request.js";
import type { Route } from "../../http/routes.js";
import { closeCodes } from "../../http/text-socket.js";
import { derpMapChanges } from "./derp-map-changes.js";
import { derpMapFor } from "./derp-map-for.js";
import { derpMapJson } from "./derp-map-json.js";
import type { DerpMapSource } from "./derp-map-source.js";

/** S5.52. */
const pongTimeoutMs = 30_000;

/** `GET /api/v2/derp-map`: the map of the relays over a WebSocket, for anyone, and again when it changes. S5.52. */
export function derpMapRoute({ derpMap }: { derpMap: DerpMapSource }): Route {
  return {
    method: "GET",
    path: "/api/v2/derp-map",
    who: "anyone",
    answer: ({ request, signal }) => ({
      goodbye: { code: closeCodes.goingAway, reason: "The server is closing." },
      socketOptions: {
        isBinary: true,
        lostPong: { afterMs: pongTimeoutMs, goodbye: { code: closeCodes.goingAway, reason: "ping failed" } },
      },
      async followMessages(socket) {
        const { reachedAt } = addressesOf(request);
        // the next is made when this one is on its way
        for await (const map of derpMapChanges(derpMap, signal))
          await socket.send(derpMapJson(derpMapFor(map, reachedAt)));
      },
    }),
  };
}
