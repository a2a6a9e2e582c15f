import { Code, ConnectError } from "@connectrpc/connect";
import { DialError, HttpError, RpcError, TransportError } from "../client/index-node.js";
import { errorText } from "../rpc/error-text.js";

/** What a program reads of an error: code and text, and whatever else is known. One line of JSON. */
export function failureJson(error: unknown): string {
  if (error instanceof TransportError) {
    return JSON.stringify({
      code: "unavailable",
      message: error.message,
      layer: error.layer,
      reason: error.code,
    });
  }
  if (!(error instanceof ConnectError)) {
    return JSON.stringify({
      code: "unknown",
      message: errorText(error),
    });
  }
  const facts: Record<string, unknown> = { code: codeName(error.code), message: error.rawMessage };
  if (error instanceof RpcError) {
    facts["layer"] = error.layer;
    facts["rpc"] = error.rpc;
    // beyond 2^53 a number is no longer exact
    facts["drpcCode"] = typeof error.drpcCode === "bigint" ? String(error.drpcCode) : error.drpcCode;
  }
  if (error instanceof DialError || error instanceof HttpError) {
    facts["status"] = error.status;
    facts["detail"] = error.detail;
    if (error.validations.length > 0) facts["validations"] = error.validations;
  }
  return JSON.stringify(facts);
}

/** A code as Connect's JSON has it: `InvalidArgument` becomes `invalid_argument`. */
function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();
}
