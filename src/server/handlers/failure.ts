import { Code, ConnectError } from "@connectrpc/connect";
import { formatUuid } from "../../codec/index.js";
import { errorText } from "../../rpc/error-text.js";

/**
 * A handler's refusal. Callers over dRPC get the text with code 0, as the reference server sends it; callers over
 * HTTP protocols get the Connect code. W4.9, S3.8.
 */
export class HandlerFailure extends ConnectError {
  readonly drpcCode = 0;

  constructor(message: string, code: Code = Code.InvalidArgument, cause?: unknown) {
    super(message, code, undefined, undefined, cause);
  }
}

/** Runs a step; its failure is told with what was being done. */
export async function doing<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof HandlerFailure) throw error;
    throw new HandlerFailure(`${what}: ${errorText(error)}`, Code.Internal, error);
  }
}

/** What the reference server says of bytes that are no UUID. */
export function invalidUuid(bytes: Uint8Array): string {
  return `invalid UUID (got ${bytes.length} bytes)`;
}

/**
 * A UUID of a request.
 * @param complaint what to say before the reason, with its colon; empty to say only that.
 */
export function uuidIn(bytes: Uint8Array, complaint: string): string {
  const text = formatUuid(bytes);
  if (text === undefined) throw new HandlerFailure(`${complaint}${invalidUuid(bytes)}`);
  return text;
}
