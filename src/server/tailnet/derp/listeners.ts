import type { DERPMap } from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import { asError } from "../../../rpc/error-text.js";

/** Told what is wrong with a map, once until it is something else; the last good one stays. */
export type OnDerpMapProblem = (error: Error) => void;

type OnChange = (map: DERPMap) => void;

/** Who wants to know of a map, and of what is wrong with it. What they throw reaches nobody else. */
export class Listeners {
  readonly #onProblem: OnDerpMapProblem | undefined;
  readonly #listeners = new Set<{ onChange: OnChange }>();
  #lastProblem: string | undefined;

  constructor(onProblem: OnDerpMapProblem | undefined) {
    this.#onProblem = onProblem;
  }

  get count(): number {
    return this.#listeners.size;
  }

  /** @returns what takes the listener off again; twice does nothing. */
  add(onChange: OnChange): () => void {
    // the same function may listen twice
    const listener = { onChange };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells all of them. */
  tell(map: DERPMap): void {
    for (const { onChange } of [...this.#listeners]) {
      try {
        onChange(map);
      } catch (error) {
        this.problem(asError(error));
      }
    }
  }

  /** Says what is wrong, unless that was said last. */
  problem(error: Error): void {
    if (error.message === this.#lastProblem) return;
    this.#lastProblem = error.message;
    try {
      this.#onProblem?.(error);
    } catch {
      // there is nobody left to tell
    }
  }

  /** Nothing is wrong any more. */
  recovered(): void {
    this.#lastProblem = undefined;
  }
}
