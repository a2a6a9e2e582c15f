import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  UpdateAppStatusRequestSchema,
  UpdateAppStatusResponseSchema,
} from "../../../gen/coder/agent/v2/agent_pb.js";
import { isUnimplemented, RpcError } from "../../../rpc/index.js";
import { appStatusRequest } from "../../http/patch-app-status.js";
import { appStatusWord } from "../../http/words.js";
import type { Shim } from "./shim.js";

/** Servers before API 2.8 take the status of an app over HTTP only. C7.18, C1.43, C1.52. */
export const appStatusOverHttp: Shim<"appStatusOverHttp"> = {
  name: "appStatusOverHttp",
  method: "updateAppStatus",
  way: "PATCH me/app-status",
  isOverHttp: true,
  isFor: isUnimplemented,
  async call(request, ways, options) {
    const init = request as MessageInitShape<typeof UpdateAppStatusRequestSchema>;
    const { slug, state, message, uri } = create(UpdateAppStatusRequestSchema, init);
    const word = appStatusWord(state);
    if (word === undefined) {
      throw new RpcError(`Invalid state: ${state}`, Code.InvalidArgument, { layer: "rpc" });
    }
    await ways.http(appStatusRequest({ slug, message, uri }, word), options);
    return create(UpdateAppStatusResponseSchema);
  },
};
