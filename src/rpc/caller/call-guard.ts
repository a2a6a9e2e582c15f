import type { RpcError } from "../errors.js";
import { givenUp } from "../errors.js";
import { type AbortWatch, unwatchAbort, watchAbort } from "./abort-watch.js";

const maxTimerMs = 2 ** 31 - 1;

/** Ends a call by its caller's signal or deadline; takes its listener and timer away when the call is over. */
export class CallGuard {
  readonly #rpc: string;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #deadlineAtMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: AbortWatch | undefined;
  #onEnd: ((error: RpcError) => void) | undefined;

  constructor(rpc: string, signal: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#rpc = rpc;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    if (timeoutMs !== undefined) this.#deadlineAtMs = performance.now() + timeoutMs;
  }

  /** @throws RpcError when the call need not begin: its signal is aborted, or its time has run out. */
  check(): void {
    if (this.#signal?.aborted) throw givenUp(this.#rpc, "canceled", this.#signal.reason);
    if (this.#timeoutMs !== undefined && this.#timeoutMs <= 0) {
      throw givenUp(this.#rpc, "deadline", undefined, this.#timeoutMs);
    }
  }

  /**
   * Watches until `release`; may be done again for the next part of the call.
   * @param onEnd called at most once, when the caller gives the call up.
   */
  watch(onEnd: (error: RpcError) => void): void {
    this.#onEnd = onEnd;
    if (this.#signal !== undefined) this.#watch = watchAbort(this.#signal, () => this.#aborted());
    if (this.#signal?.aborted) this.#aborted();
    else if (this.#deadlineAtMs !== undefined) {
      const leftMs = Math.max(0, Math.min(this.#deadlineAtMs - performance.now(), maxTimerMs));
      this.#timer = setTimeout(
        () => this.#end(givenUp(this.#rpc, "deadline", undefined, this.#timeoutMs)),
        leftMs,
      );
    }
  }

  /** The call, or the part of it that was watched, is over. */
  release(): void {
    this.#onEnd = undefined;
    if (this.#signal !== undefined && this.#watch !== undefined) unwatchAbort(this.#signal, this.#watch);
    this.#watch = undefined;
    clearTimeout(this.#timer);
  }

  #aborted(): void {
    this.#end(givenUp(this.#rpc, "canceled", this.#signal?.reason));
  }

  #end(error: RpcError): void {
    const onEnd = this.#onEnd;
    this.release();
    onEnd?.(error);
  }
}
