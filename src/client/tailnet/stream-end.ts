import { Code, ConnectError } from "@connectrpc/connect";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { isUnimplemented, RpcError } from "../../rpc/index.js";

/**
 * The error of a stream that should have lasted as long as its connection.
 * @param cause why it has ended; undefined when the server ended it in order, which is no reason to be content: EOF.
 */
export function streamEnd(doing: string, method: string, cause: unknown): RpcError {
  const rpc = `/${Tailnet.typeName}/${method}`;
  const said = cause === undefined ? "EOF" : errorText(cause);
  const text = `${doing}: ${isUnimplemented(cause) ? `the server does not have ${method}: ` : ""}${said}`;
  const { layer = "rpc", drpcCode, streamId } = cause instanceof RpcError ? cause : {};
  const code = cause instanceof ConnectError ? cause.code : Code.Unavailable;
  return new RpcError(text, code, { layer, rpc, drpcCode, streamId, cause });
}
