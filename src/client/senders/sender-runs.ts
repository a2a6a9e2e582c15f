import { isUnimplemented } from "../../rpc/index.js";

/** The runs of one sender, of which there is one at a time. */
export class SenderRuns {
  readonly #sender: string;
  #isRunning = false;

  /** @param sender its name, for the error of a second run. */
  constructor(sender: string) {
    this.#sender = sender;
  }

  /**
   * Does the work of a run.
   * @returns when the work returns, or when the server does not have the RPC.
   * @throws Error when a run is under way; the signal's reason when that has ended, whatever the work says; else what
   * the work throws.
   */
  async run(signal: AbortSignal, work: () => Promise<void>, onUnsupported?: () => void): Promise<void> {
    if (this.#isRunning) {
      throw new Error(`the sender "${this.#sender}" runs already: end that run before the next one`);
    }
    signal.throwIfAborted();
    this.#isRunning = true;
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isUnimplemented(error)) throw error;
      onUnsupported?.();
    } finally {
      this.#isRunning = false;
    }
  }
}
