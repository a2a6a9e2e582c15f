import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { BatchCreateLogsResponseSchema } from "../../../gen/coder/agent/v2/agent_pb.js";
import type { Shim } from "./shim.js";

/** `Logs limit exceeded`, `Log limit exceeded`, alone or behind what was being done. C1.50, C3.17. */
const limitText = /\blogs? limit exceeded\b/i;

/** Where a server refuses logs over the limit with a text, this is the answer that others give. C3.17. */
export const logLimitFromError: Shim<"logLimitFromError"> = {
  name: "logLimitFromError",
  method: "batchCreateLogs",
  way: "the answer `logLimitExceeded`",
  isOverHttp: false,
  isFor: (error) => error instanceof ConnectError && limitText.test(error.rawMessage),
  call: () => create(BatchCreateLogsResponseSchema, { logLimitExceeded: true }),
};
