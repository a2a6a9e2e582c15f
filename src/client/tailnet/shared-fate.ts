import type { Client } from "@connectrpc/connect";
import type { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { LinkedAbort } from "../linked-abort.js";
import { untilAborted } from "../until-aborted.js";

/** The calls of the tailnet service, as a connection has them. */
export type TailnetClient = Client<typeof Tailnet>;

/** Something that is done over each connection, for as long as it lasts. */
export interface Work {
  /**
   * @returns when it is done with this connection.
   * @throws when the connection must be given up; what it throws once the signal has ended does not count.
   */
  over(tailnet: TailnetClient, signal: AbortSignal): Promise<void>;
}

interface Run {
  readonly abort: AbortController;
  readonly over: Promise<void>;
}

/** Works over one connection after the other: when one of them fails, all of them end, and with them the connection. C9.13. */
export class SharedFate {
  readonly #works = new Set<Work>();
  #present: { tailnet: TailnetClient; scope: LinkedAbort; runs: Map<Work, Run> } | undefined;

  /** Adds work: it begins at once where there is a connection, and again with each further one. */
  add(work: Work): void {
    if (this.#works.has(work)) return;
    this.#works.add(work);
    this.#start(work);
  }

  /** Ends work, here and for later connections. */
  remove(work: Work): void {
    this.#works.delete(work);
    const { runs } = this.#present ?? {};
    runs?.get(work)?.abort.abort(new Error("nobody wants it any more"));
    runs?.delete(work);
  }

  /**
   * Does all of it over one connection, until the signal ends.
   * @throws the error of the first work that fails, once all have ended.
   */
  async over(tailnet: TailnetClient, signal: AbortSignal): Promise<void> {
    const scope = new LinkedAbort(signal);
    const runs = new Map<Work, Run>();
    this.#present = { tailnet, scope, runs };
    for (const work of this.#works) this.#start(work);
    await untilAborted(scope.signal);
    this.#present = undefined;
    // a session that closes says so to each: it may say goodbye
    for (const { abort } of runs.values()) abort.abort(scope.signal.reason);
    await Promise.all([...runs.values()].map(({ over }) => over));
    scope.release();
    if (!signal.aborted) throw scope.signal.reason;
  }

  #start(work: Work): void {
    const present = this.#present;
    if (present === undefined || present.scope.signal.aborted) return;
    const abort = new AbortController();
    const run = async () => {
      try {
        await work.over(present.tailnet, abort.signal);
      } catch (error) {
        if (!abort.signal.aborted) present.scope.abort(error);
      }
    };
    present.runs.set(work, { abort, over: run() });
  }
}
