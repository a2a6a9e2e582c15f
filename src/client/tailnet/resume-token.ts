import { timestampMs } from "@bufbuild/protobuf/wkt";
import { errorText } from "../../rpc/error-text.js";
import { waitOf } from "../durations.js";
import { pause } from "../pause.js";
import { endsRun } from "../senders/report-failure.js";
import type { TailnetNotice } from "./notices.js";
import type { TailnetClient, Work } from "./shared-fate.js";

/** Where the server does not say when to ask again. C9.10. */
const usualRefreshMs = 30 * 60_000;
/** Whatever the server says. */
const minRefreshMs = 1000;

/** Keeps a token with which the next connection has the same peer id. It never ends a connection. C9.10, C9.13. */
export class ResumeToken implements Work {
  readonly #onNotice: (notice: TailnetNotice) => void;
  #known: { token: string; expiresAtMs: number } | undefined;

  constructor(onNotice: (notice: TailnetNotice) => void) {
    this.#onNotice = onNotice;
  }

  /** The token, until it expires. */
  get offered(): string | undefined {
    if (this.#known !== undefined && this.#known.expiresAtMs <= Date.now()) this.#known = undefined;
    return this.#known?.token;
  }

  /** The server does not take it. C9.15. */
  forget(): void {
    this.#known = undefined;
  }

  /** Asks for a token at once, and again when it is time. @returns when the server gives none, or the signal ends. */
  async over(tailnet: TailnetClient, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const { token, refreshIn, expiresAt } = await tailnet.refreshResumeToken({}, { signal });
        const expiresAtMs = expiresAt === undefined ? 0 : timestampMs(expiresAt);
        this.#known = token === "" ? undefined : { token, expiresAtMs };
        await pause(Math.max(minRefreshMs, waitOf(refreshIn) ?? usualRefreshMs), signal);
      }
    } catch (error) {
      if (endsRun(error, signal)) return;
      this.#onNotice({ level: "error", text: `refresh resume token: ${errorText(error)}` });
    }
  }
}
