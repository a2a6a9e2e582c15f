import { errorText } from "../../rpc/error-text.js";
import { HttpError } from "../http/request-errors.js";

/** Why no reinitialisation event was read. Its text begins as C1.61 has it; the `cause` is what went wrong. */
export class ReinitError extends Error {
  /** The HTTP status of an answer that was refused; undefined when there was none. C1.18. */
  readonly status: number | undefined;

  constructor(cause: unknown) {
    super(`listening for reinitialization events: ${errorText(cause)}`, { cause });
    this.name = "ReinitError";
    this.status = cause instanceof HttpError ? cause.status : undefined;
  }
}
