import type { DERPMap } from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import { asError } from "../../../rpc/error-text.js";
import type { DerpMapSource } from "./derp-map-source.js";
import { Listeners, type OnDerpMapProblem } from "./listeners.js";
import { sameDerpMap } from "./same-derp-map.js";

/** A source that is made by others, and closed by them. */
export interface ClosableDerpMap extends DerpMapSource {
  close(): Promise<void>;
}

/** How a map is looked after that is somewhere else. */
export interface PolledOptions {
  intervalMs: number;
  onProblem: OnDerpMapProblem | undefined;
  /** Ends it, as `close` does. */
  signal: AbortSignal | undefined;
}

/** Looks for a map. @returns undefined when it is the one that was found last. */
export type LoadDerpMap = (signal: AbortSignal) => Promise<DERPMap | undefined>;

/**
 * A map that is looked for again from time to time; while that fails, the last one stays.
 * @throws what the first load throws.
 */
export async function polledDerpMap(load: LoadDerpMap, options: PolledOptions): Promise<ClosableDerpMap> {
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const first = await load(signal);
  signal.throwIfAborted();
  if (first === undefined) throw new Error("there is no map of relays");
  return new PolledSource(first, load, options);
}

class PolledSource implements ClosableDerpMap {
  readonly #load: LoadDerpMap;
  readonly #intervalMs: number;
  readonly #listeners: Listeners;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal | undefined;
  #current: DERPMap;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loading: Promise<void> | undefined;

  constructor(first: DERPMap, load: LoadDerpMap, { intervalMs, onProblem, signal }: PolledOptions) {
    this.#current = first;
    this.#load = load;
    this.#intervalMs = intervalMs;
    this.#listeners = new Listeners(onProblem);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#stop);
    this.#schedule();
  }

  get current(): DERPMap {
    return this.#current;
  }

  subscribe(onChange: (map: DERPMap) => void): () => void {
    return this.#listeners.add(onChange);
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#loading;
  }

  readonly #stop = (): void => {
    clearTimeout(this.#timer);
    this.#end.abort();
    this.#signal?.removeEventListener("abort", this.#stop);
  };

  #schedule(): void {
    if (this.#end.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#loading = this.#look();
    }, this.#intervalMs);
    // whoever forgets to close it can end all the same
    this.#timer.unref();
  }

  /** Never fails. */
  async #look(): Promise<void> {
    try {
      const next = await this.#load(this.#end.signal);
      if (this.#end.signal.aborted) return;
      this.#listeners.recovered();
      if (next !== undefined) this.#take(next);
    } catch (error) {
      if (!this.#end.signal.aborted) this.#listeners.problem(asError(error));
    }
    this.#schedule();
  }

  #take(next: DERPMap): void {
    const before = this.#current;
    this.#current = next;
    if (!sameDerpMap(before, next)) this.#listeners.tell(next);
  }
}
