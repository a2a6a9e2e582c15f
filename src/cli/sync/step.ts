import { errorText } from "../../rpc/error-text.js";

/** A command that went wrong; its text is for standard error as it is. */
export class SyncFailure extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SyncFailure";
  }
}

/** Does a part of a command. @throws SyncFailure `what: reason`. */
export async function step<T>(what: string, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    throw new SyncFailure(`${what}: ${errorText(error)}`, error);
  }
}
