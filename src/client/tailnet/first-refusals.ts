import { newestVersion } from "../../version/index.js";
import { shownUrl } from "../http/api-url.js";
import { DialError, HttpError } from "../http/request-errors.js";
import { isVersionRefusal } from "../session/final-answers.js";
import { tailnetUrl } from "./dial-tailnet.js";
import type { TailnetNetworkOptions } from "./network-options.js";

/** Answers that mean the same to every attempt. C9.16. */
const finalStatuses: ReadonlySet<number | undefined> = new Set([400, 401, 403, 404, 409, 500]);

/** Tells refusals of the first attempt, which somebody has to mend, from later ones, which may pass. C9.16. */
export class FirstRefusals {
  #isFirst = true;

  connected(): void {
    this.#isFirst = false;
  }

  /** @returns true when no further attempt makes sense. */
  isFinal(error: unknown): boolean {
    if (isResumeTokenRefusal(error)) return false;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    return (
      isFirst && (error instanceof DialError || error instanceof HttpError) && finalStatuses.has(error.status)
    );
  }
}

/** Whether a server does not take a resume token. C9.15. */
export function isResumeTokenRefusal(error: unknown): boolean {
  return error instanceof DialError && error.validations.some(({ field }) => field === "resume_token");
}

/** The error of a server that does not have the version, with what to do about it; any other as it is. C9.16. */
export function withAdvice(error: unknown, options: TailnetNetworkOptions): unknown {
  if (!isVersionRefusal(error)) return error;
  const { reason, code, status, validations, detail } = error;
  const release = options.clientVersion ?? "agentwire";
  const advice = `Ensure your client release version (${release}, different than the API version) matches the server release version`;
  return new DialError(shownUrl(tailnetUrl(options, newestVersion)), reason, code, {
    status,
    validations,
    detail: detail === undefined ? advice : `${advice}; ${detail}`,
    cause: error,
  });
}
