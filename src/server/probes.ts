import type { IncomingMessage, ServerResponse } from "node:http";
import type { AgentStore } from "../store/index.js";
import { pathOf } from "./http/attach.js";
import { pingStore } from "./store-ping.js";

/** What load balancers and orchestrators ask: does it live, and should it get requests. */
export class Probes {
  readonly #store: Pick<AgentStore, "workspace">;
  #isDraining = false;

  constructor(store: Pick<AgentStore, "workspace">) {
    this.#store = store;
  }

  /** From now on it should get no more. */
  drain(): void {
    this.#isDraining = true;
  }

  /** @returns true when the request was one of theirs. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    switch (pathOf(request)) {
      case "/healthz":
        answer(response, undefined);
        return true;
      case "/readyz":
        void this.#whyNotReady().then((reason) => answer(response, reason));
        return true;
      default:
        return false;
    }
  }

  async #whyNotReady(): Promise<string | undefined> {
    if (this.#isDraining) return "it is about to end";
    return pingStore(this.#store);
  }
}

function answer(response: ServerResponse, reason: string | undefined): void {
  const body = reason === undefined ? "ok\n" : `not ready: ${reason}\n`;
  response.writeHead(reason === undefined ? 200 : 503, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(body);
}
