/** Where a part takes the time and its timers from, so that tests can give it their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** As the global function. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  /** As the global function. */
  clearTimeout(timer: unknown): void;
}

/** The clock of this machine. It asks for the global functions each time, so that it obeys those of a test runner. */
export const machineClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as ReturnType<typeof setTimeout>),
};

// taken before any test puts others in their place: limits of waits are in real time
const { setTimeout: realSetTimeout, setImmediate: realSetImmediate } = globalThis;
const realPerformanceNow = performance.now.bind(performance);

/** Milliseconds of real time since some moment, whatever clock is installed. */
export const realNowMs = (): number => realPerformanceNow();

/** Waits in real time, whatever clock is installed. */
export function realPause(ms: number): Promise<void> {
  return new Promise((resolve) => realSetTimeout(resolve, ms));
}

/** How often the event loop goes round after each moment of a fake clock: a call over a socket takes a few rounds. */
const rounds = 20;

/** Lets sockets and promises of this process do what they can do now. */
export async function letThingsHappen(): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await new Promise<void>((resolve) => realSetImmediate(resolve));
  }
}
