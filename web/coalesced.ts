/** After a run there is a pause of so many times its length: the page is no burden to a server that is slow. */
const pausePerRun = 3;

/**
 * Work that is asked for often and done seldom: one run at a time, with a pause before each, and one more for
 * whatever was asked for meanwhile.
 */
export class Coalesced {
  readonly #run: () => Promise<void>;
  readonly #pauseMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;
  #isWanted = false;
  #isOver = false;

  #lastRunMs = 0;

  /** @param run must not throw. @param pauseMs between asking and doing, at least. */
  constructor(run: () => Promise<void>, pauseMs: number) {
    this.#run = run;
    this.#pauseMs = pauseMs;
  }

  /** Asks for it. */
  ask(): void {
    this.#isWanted = true;
    if (this.#isOver || this.#isRunning || this.#timer !== undefined) return;
    const pauseMs = Math.max(this.#pauseMs, pausePerRun * this.#lastRunMs);
    this.#timer = setTimeout(() => void this.#work(), pauseMs);
  }

  /** Does no more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  async #work(): Promise<void> {
    this.#timer = undefined;
    this.#isWanted = false;
    this.#isRunning = true;
    const beginMs = performance.now();
    await this.#run();
    this.#lastRunMs = performance.now() - beginMs;
    this.#isRunning = false;
    if (this.#isWanted) this.ask();
  }
}
