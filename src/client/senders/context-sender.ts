import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PushContextStateRequestSchema } from "../../gen/coder/agent/v2/agent_pb.js";
import { isUnimplemented } from "../../rpc/index.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { pause } from "../pause.js";
import type { DropCounts } from "./drops.js";
import { failureKind } from "./report-failure.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** The request of `PushContextState`. */
export type ContextPush = MessageInitShape<typeof PushContextStateRequestSchema>;

/** Where a {@link ContextSender} has its snapshots from: the workspace context of `agentwire/local`, or your own. */
export interface ContextPushSource {
  /**
   * The newest snapshot as a request; its version grows with every change.
   * @param initial goes into the request: true for the first push of a connection.
   * @returns undefined while there is none yet (C4.70).
   */
  pushRequest(initial: boolean): ContextPush | undefined;
  /** Has a function called after each change. @returns what ends that. */
  onChange(listener: () => void): () => void;
}

/** How a {@link ContextSender} behaves. */
export interface ContextSenderOptions {
  /** Milliseconds before a failed push is tried again, doubled with each failure; 250 by default. C4.72. */
  firstRetryMs?: number;
  /** The longest of these waits, in milliseconds; 30,000 by default. C4.72. */
  maxRetryMs?: number;
}

/**
 * Pushes the workspace's context: on each connection the whole snapshot first, marked as initial, then the newest
 * after each change (C4.71). It holds no more than the one snapshot that is being pushed: a newer one takes the
 * place of all that were not, so nothing is ever dropped.
 */
export class ContextSender implements Sender {
  readonly name = "context";
  readonly #runs = new SenderRuns(this.name);
  readonly dropped: DropCounts = {};
  readonly #source: ContextPushSource;
  readonly #firstRetryMs: number;
  readonly #maxRetryMs: number;
  readonly #waitingForEmpty = new WaitingLine<void>();
  /** Of the newest snapshot that a server has answered. */
  #answeredVersion: ContextPush["version"];
  /** The server of this connection does not have the RPC. */
  #isUnwanted = false;

  constructor(source: ContextPushSource, options: ContextSenderOptions = {}) {
    this.#source = source;
    this.#firstRetryMs = options.firstRetryMs ?? 250;
    this.#maxRetryMs = options.maxRetryMs ?? 30_000;
  }

  /** 1 when the newest snapshot was not answered yet; 0 when it was, and where the server does not have the RPC. */
  get pending(): number {
    if (this.#isUnwanted) return 0;
    const newest = this.#source.pushRequest(false);
    return newest === undefined || newest.version === this.#answeredVersion ? 0 : 1;
  }

  /**
   * Pushes what there is, and what comes. Run it once for each connection, one at a time.
   * @returns when the server does not have the RPC (C4.72).
   * @throws the signal's reason when that ends, and the error with which the connection was lost. Any other error
   * has the same snapshot pushed again. Error when a run is under way.
   */
  run(agent: Pick<AgentClient, "pushContextState">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, () => this.#pushAll(agent, signal));
  }

  /** Resolves once the newest snapshot has been answered, or where the server does not have the RPC. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.pending > 0) await this.#waitingForEmpty.wait(signal);
  }

  /** @returns when the server does not have the RPC. */
  async #pushAll(agent: Pick<AgentClient, "pushContextState">, signal: AbortSignal): Promise<void> {
    const waitingForChange = new WaitingLine<void>();
    let isChanged = true;
    const unsubscribe = this.#source.onChange(() => {
      isChanged = true;
      waitingForChange.serve();
    });
    this.#isUnwanted = false;
    let initial = true;
    try {
      for (;;) {
        signal.throwIfAborted();
        const push = isChanged ? this.#source.pushRequest(initial) : undefined;
        isChanged = false;
        if (push === undefined) {
          await waitingForChange.wait(signal);
          continue;
        }
        if (!(await this.#push(push, agent, signal))) {
          this.#isUnwanted = true;
          return;
        }
        initial = false;
        this.#answeredVersion = push.version;
        this.#wakeIfEmpty();
      }
    } finally {
      unsubscribe();
      this.#wakeIfEmpty();
    }
  }

  /** Pushes one snapshot until it is answered. @returns false when the server does not have the RPC. */
  async #push(
    push: ContextPush,
    agent: Pick<AgentClient, "pushContextState">,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let retryMs = this.#firstRetryMs; ; retryMs = Math.min(retryMs * 2, this.#maxRetryMs)) {
      try {
        // whether it was accepted does not matter: the next change is pushed in any case
        await agent.pushContextState(push, { signal });
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (isUnimplemented(error)) return false;
        if (failureKind(error) === "lost") throw error;
      }
      await pause(retryMs, signal);
    }
  }

  #wakeIfEmpty(): void {
    if (this.#waitingForEmpty.length > 0 && this.pending === 0) this.#waitingForEmpty.serveAll();
  }
}
