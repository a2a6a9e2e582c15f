/**
 * Wakes one who waits. Rings that come while nobody waits are one ring, heard by the next who does, so that no number
 * of them takes memory.
 */
export class Bell {
  #hasRung = false;
  #waiting: (() => void) | undefined;

  /** Wakes who waits, or who waits next. */
  readonly ring = (): void => {
    this.#hasRung = true;
    this.#waiting?.();
  };

  /** Waits for a ring, for so long at most where a time is given, or until the signal ends it. */
  async wait(timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#hasRung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", wake);
          this.#waiting = undefined;
          resolve();
        };
        const timer = timeoutMs === undefined ? undefined : setTimeout(wake, timeoutMs);
        signal.addEventListener("abort", wake);
        this.#waiting = wake;
      });
    }
    this.#hasRung = false;
  }
}

/** Resolves when the signal ends. */
export function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Calls back when the signal ends; at once when it has. */
export function whenEnded(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then();
  else signal.addEventListener("abort", then, { once: true });
}
