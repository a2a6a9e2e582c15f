import { ConnectError } from "@connectrpc/connect";

/**
 * What something thrown says, for a sentence around it: without the code that Connect puts before the text of its
 * errors. Keep the error as the `cause`, and its code is not lost.
 */
export function errorText(error: unknown): string {
  if (error instanceof ConnectError) return error.rawMessage;
  return error instanceof Error ? error.message : String(error);
}

/** Something thrown as an error; what is one already is given back. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
