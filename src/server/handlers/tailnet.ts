import { toJson } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { formatUuid } from "../../codec/index.js";
import { type Tailnet, TelemetryEventSchema } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { sessionOf } from "../agent-session.js";
import type { HandlerDeps } from "./deps.js";
import { HandlerFailure } from "./failure.js";

/** What of the tailnet service an agent's session has. S4.1, S4.3. */
export function tailnetHandlers(deps: HandlerDeps): ServiceImpl<typeof Tailnet> {
  return {
    /** The map at once; the stream stays open, as an agent that sees its end dials again. */
    async *streamDERPMaps(_request, context) {
      yield deps.derpMap();
      await aborted(context.signal);
    },

    /**
     * Keeps the stream, so that an agent stays connected. There is nobody to tell it about, so nothing is answered;
     * the agent's Disconnect ends it.
     */
    // biome-ignore lint/correctness/useYield: nothing is answered
    async *coordinate(requests) {
      for await (const request of requests) if (request.disconnect !== undefined) return;
    },

    async postTelemetry({ events }, context) {
      const { agentId } = sessionOf(context);
      const records = events.flatMap((event) => {
        const id = formatUuid(event.id);
        // an event without an id is dropped, never an error: S4.8
        if (id === undefined) return [];
        return [{ id, agentId, receivedAtUs: deps.nowUs(), event: toJson(TelemetryEventSchema, event) }];
      });
      await deps.store.insertTelemetry(records).catch(() => {});
      return {};
    },

    refreshResumeToken() {
      throw new HandlerFailure("resume tokens not supported on agent sessions", Code.Unimplemented);
    },

    // biome-ignore lint/correctness/useYield: there is nothing to answer
    async *workspaceUpdates() {
      throw new HandlerFailure("workspace updates not supported on agent sessions", Code.Unimplemented);
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
