import { DialError, HttpError } from "../http/request-errors.js";

/** When a refusal ends a session for good. */
export interface FinalAnswerOptions {
  /**
   * An answer of 401 is final once only such answers have come for so long, in milliseconds. By default a token that
   * has never worked is given up at once, and one that has worked after 30,000. The same time is given to a machine
   * whose identity is refused (C1.38) before there has ever been a connection: one that may start before the control
   * plane knows of it needs some.
   */
  unauthorizedGraceMs?: number;
}

const defaultGraceMs = 30_000;

/**
 * Tells refusals that stay from those that pass. A version that the server does not have stays; a wrong token or
 * identity stays after a grace; what says that the address is wrong (400, 403, 404) stays as long as nothing has ever
 * been there.
 */
export class FinalAnswers {
  readonly #graceMs: number | undefined;
  #hasConnected = false;
  #unauthorizedSinceMs: number | undefined;

  constructor({ unauthorizedGraceMs }: FinalAnswerOptions) {
    this.#graceMs = unauthorizedGraceMs;
  }

  connected(): void {
    this.#hasConnected = true;
    this.#unauthorizedSinceMs = undefined;
  }

  /** @returns true when no further attempt makes sense. */
  isFinal(error: unknown): boolean {
    const { status } = error instanceof DialError || error instanceof HttpError ? error : {};
    if (status === 401 || this.#isRefusedIdentity(error)) return this.#isGraceOver();
    this.#unauthorizedSinceMs = undefined;
    if (isVersionRefusal(error)) return true;
    return !this.#hasConnected && (status === 400 || status === 403 || status === 404);
  }

  /** No agent for this machine, or several: somebody has to mend that. C1.38. */
  #isRefusedIdentity(error: unknown): boolean {
    if (this.#hasConnected || !(error instanceof HttpError)) return false;
    return [400, 403, 404, 409].includes(error.status ?? 0);
  }

  #isGraceOver(): boolean {
    const graceMs = this.#graceMs ?? (this.#hasConnected ? defaultGraceMs : 0);
    const nowMs = performance.now();
    this.#unauthorizedSinceMs ??= nowMs;
    return nowMs - this.#unauthorizedSinceMs >= graceMs;
  }
}

/** Whether a server does not have the version. */
export function isVersionRefusal(error: unknown): error is DialError {
  return (
    error instanceof DialError &&
    error.status === 400 &&
    error.validations.some(({ field }) => field === "version")
  );
}
