import { Code } from "@connectrpc/connect";

/** A code as gRPC and Connect name it in texts: `InvalidArgument` becomes `invalid_argument`. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();
}
