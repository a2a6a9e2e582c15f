import { toJson } from "@bufbuild/protobuf";
import { formatUuid } from "../../../codec/index.js";
import { TelemetryEventSchema } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import { sessionOf } from "../../agent-session.js";
import type { TailnetDeps } from "../tailnet.js";
import type { TailnetHandlers } from "./handlers.js";

/** What network clients tell of their connections. S4.7, S4.8. */
export function telemetryHandlers({ store, nowUs }: TailnetDeps): TailnetHandlers {
  return {
    async postTelemetry({ events }, context) {
      const { agentId } = sessionOf(context);
      const records = events.flatMap((event) => {
        const id = formatUuid(event.id);
        // an event without an id is dropped, never an error: S4.8
        if (id === undefined) return [];
        return [{ id, agentId, receivedAtUs: nowUs(), event: toJson(TelemetryEventSchema, event) }];
      });
      await store.insertTelemetry(records).catch(() => {});
      return {};
    },
  };
}
