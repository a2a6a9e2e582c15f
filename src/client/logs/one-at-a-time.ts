import { WaitingLine } from "../../transport/waiting-line.js";

/** Lets one in at a time, in the order in which they come. */
export class OneAtATime {
  #isTaken = false;
  readonly #line = new WaitingLine<void>();

  /** @returns false when somebody is in: then {@link wait}. */
  tryEnter(): boolean {
    if (this.#isTaken) return false;
    this.#isTaken = true;
    return true;
  }

  /** Waits to be let in. @throws the signal's reason when that ends first. */
  async wait(signal?: AbortSignal): Promise<void> {
    if (!this.tryEnter()) await this.#line.wait(signal);
  }

  /** To be called once by each who was let in. */
  leave(): void {
    this.#isTaken = this.#line.serve();
  }
}
