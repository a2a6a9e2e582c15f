import { ApiError } from "./api-error.js";
import { positive } from "./engines/waits.js";

const defaultTimeoutMs = 30_000;
/** Timers of Node hold no more; a longer one would be over at once. */
const longestTimeoutMs = 2 ** 31 - 1;

/** Waits for code of the implementer's on which an answer depends. Each has an end, whatever that code does. */
export class Waits {
  readonly #timeoutMs: number;
  readonly #pending = new Set<AbortController>();

  /**
   * @param timeoutMs of each wait: `authenticateTimeoutMs`, 30,000 by default.
   * @throws RangeError when it is not positive.
   */
  constructor(timeoutMs: number | undefined) {
    const wantedMs = positive("authenticateTimeoutMs", timeoutMs, defaultTimeoutMs);
    this.#timeoutMs = Math.min(wantedMs, longestTimeoutMs);
  }

  /**
   * Waits for work for as long as somebody wants its result.
   * @param work its signal ends when nobody does any more; what it gives or throws after that is not heard.
   * @param caller ends when whoever asks has left.
   * @throws what the work throws; ApiError 503 when it takes too long or the server closes; the caller's reason.
   */
  async until<T>(work: (signal: AbortSignal) => T | Promise<T>, caller: AbortSignal): Promise<T> {
    caller.throwIfAborted();
    const wait = new AbortController();
    const leave = () => wait.abort(caller.reason);
    const timer = setTimeout(() => wait.abort(takesTooLong()), this.#timeoutMs);
    caller.addEventListener("abort", leave);
    this.#pending.add(wait);
    try {
      return await endedBy(wait.signal, work);
    } finally {
      clearTimeout(timer);
      caller.removeEventListener("abort", leave);
      this.#pending.delete(wait);
    }
  }

  /** Ends all that are under way: the server closes. */
  end(): void {
    for (const wait of this.#pending) wait.abort(serverCloses());
  }
}

/**
 * Waits for work until a signal ends.
 * @throws what the work throws, or the signal's reason.
 */
export async function endedBy<T>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  let stop = () => {};
  const isOver = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  isOver.catch(() => {});
  try {
    return await Promise.race([work(signal), isOver]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The answer to a request for which something has taken too long. */
export function takesTooLong(): ApiError {
  return new ApiError(503, "The answer took too long. Try again.");
}

/** The answer to a request that the end of the server has come before. */
export function serverCloses(): ApiError {
  return new ApiError(503, "The server is closing. Try again.");
}
