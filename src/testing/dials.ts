import { ApiError } from "../server/api-error.js";
import type { DialRequest } from "../server/dial-request.js";
import { defaultRpcPath } from "../server/rpc-endpoint.js";

/** A dial of an agent, or of a tool with an agent's token. */
export interface TestDial {
  /** As the client wrote it; an empty text means `agent`. */
  readonly role: string;
  /** The version that it asked for, as it wrote it; an empty text where it named none. */
  readonly version: string;
  /** When it came, in milliseconds since 1970, by the plane's clock. */
  readonly atMs: number;
  /** The HTTP status of a dial that `refuse` has refused. */
  readonly refusedWith: number | undefined;
}

/** So many dials are kept, the latest. */
const maxDials = 10_000;

/** Sees dials before anything is looked up for them, and refuses them where a test says so. */
export class Dials {
  readonly #nowMs: () => number;
  readonly #all: TestDial[] = [];
  #refusal: { error: ApiError; left: number } | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  all(): TestDial[] {
    return [...this.#all];
  }

  forget(): void {
    this.#all.length = 0;
  }

  refuse(why: number | ApiError, times: number): void {
    const error = typeof why === "number" ? new ApiError(why, `The test refuses dials with ${why}.`) : why;
    this.#refusal = { error, left: times };
  }

  heal(): void {
    this.#refusal = undefined;
  }

  /** @throws ApiError when the dial is to be refused. */
  see({ url }: DialRequest): void {
    if (url.pathname !== defaultRpcPath) return;
    const refusal = this.#refusal;
    this.#all.push({
      role: url.searchParams.get("role") ?? "",
      version: url.searchParams.get("version") ?? "",
      atMs: this.#nowMs(),
      refusedWith: refusal?.error.status,
    });
    if (this.#all.length > maxDials) this.#all.shift();
    if (refusal === undefined) return;
    if (--refusal.left <= 0) this.#refusal = undefined;
    throw refusal.error;
  }
}
