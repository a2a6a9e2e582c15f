import { create, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { TimestampSchema, timestampNow } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { formatUuid } from "../../../codec/index.js";
import {
  BatchCreateLogsRequestSchema,
  BatchCreateLogsResponseSchema,
  type Log,
} from "../../../gen/coder/agent/v2/agent_pb.js";
import { isUnimplemented, RpcError } from "../../../rpc/index.js";
import { logsRequest } from "../../http/patch-logs.js";
import { HttpError } from "../../http/request-errors.js";
import { logLevelWord } from "../../http/words.js";
import type { JsonLog } from "../../logs/log-json.js";
import type { Shim } from "./shim.js";

/** The server takes no more logs of this agent. C1.50. */
const limitStatus = 413;

/** Servers from before the RPC take logs over HTTP. C7.11, C1.42. */
export const logsOverHttp: Shim<"logsOverHttp"> = {
  name: "logsOverHttp",
  method: "batchCreateLogs",
  way: "PATCH me/logs",
  isOverHttp: true,
  isFor: isUnimplemented,
  async call(request, ways, options) {
    const init = request as MessageInitShape<typeof BatchCreateLogsRequestSchema>;
    const { logSourceId, logs } = create(BatchCreateLogsRequestSchema, init);
    const sourceId = formatUuid(logSourceId);
    if (sourceId === undefined) {
      const text = `a log source's id has 16 bytes, and not ${logSourceId.length}`;
      throw new RpcError(text, Code.InvalidArgument, { layer: "rpc" });
    }
    // an empty batch is fine as RPC (C3.18), and refused over HTTP
    if (logs.length === 0) return create(BatchCreateLogsResponseSchema);
    try {
      await ways.http(logsRequest(sourceId, logs.map(jsonOf)), options);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== limitStatus) throw error;
      return create(BatchCreateLogsResponseSchema, { logLimitExceeded: true });
    }
    return create(BatchCreateLogsResponseSchema);
  },
};

function jsonOf({ output, level, createdAt }: Log): JsonLog {
  return {
    created_at: toJson(TimestampSchema, createdAt ?? timestampNow()),
    output,
    level: logLevelWord(level) ?? "info",
  };
}
