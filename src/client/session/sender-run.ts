import { errorText } from "../../rpc/error-text.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import type { AgentClient, Sender } from "../senders/sender.js";

/** Keeps a sender going over one connection after the other. */
export class SenderRun {
  readonly #sender: Sender;
  /** The present connection has no use for what it still has: its RPC is not there, or no more is taken. */
  #isIdle = false;
  readonly #waitingForIdle = new WaitingLine<void>();

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  get name(): string {
    return this.#sender.name;
  }

  get pending(): number {
    return this.#sender.pending;
  }

  /** @throws when the connection must be given up, or the signal ends. */
  async over(agent: AgentClient, signal: AbortSignal): Promise<void> {
    this.#isIdle = false;
    try {
      await this.#sender.run(agent, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Error(`sender "${this.name}": ${errorText(error)}`, { cause: error });
    }
    this.#isIdle = true;
    this.#waitingForIdle.serveAll();
  }

  /** Resolves once all is sent, or the connection takes no more. @throws the signal's reason when it ends first. */
  async drained(signal: AbortSignal): Promise<void> {
    if (this.#isIdle || this.#sender.pending === 0) return;
    const leave = new AbortController();
    const idle = this.#waitingForIdle.wait(leave.signal);
    idle.catch(() => {});
    try {
      await Promise.race([this.#sender.whenEmpty(signal), idle]);
    } finally {
      leave.abort();
    }
  }
}
