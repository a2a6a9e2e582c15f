import { clone, equals } from "@bufbuild/protobuf";
import { type DERPMap, DERPMapSchema } from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import { asError } from "../../../rpc/error-text.js";
import { Listeners, type OnDerpMapProblem } from "./listeners.js";
import { sameDerpMap } from "./same-derp-map.js";

/** Where the map of the relays comes from. */
export interface DerpMapSource {
  /** The map as it is now. It is not to be changed: a new map is another object. */
  readonly current: DERPMap;
  /**
   * Tells of maps that differ from the one before.
   * @returns what ends it.
   */
  subscribe(onChange: (map: DERPMap) => void): () => void;
  /** Ends what goes on for it. Whoever makes a source closes it. */
  close?(): Promise<void>;
}

/** How a function is asked for the map. */
export interface DerpMapFromOptions {
  /** How often it is asked while somebody wants to know of changes, in milliseconds; 5,000 by default. S4.4. */
  intervalMs?: number;
  /** Told when it throws; by default nobody is. */
  onProblem?: OnDerpMapProblem;
}

/**
 * The map that a function gives. It is asked whenever somebody needs the map, and, while there are streams that follow
 * it, from time to time for all of them.
 * @returns a source whose `current` throws what the function throws, unless it has given a map before.
 */
export function derpMapFrom(fn: () => DERPMap, options: DerpMapFromOptions = {}): DerpMapSource {
  return new FunctionSource(fn, options);
}

class FunctionSource implements DerpMapSource {
  readonly #fn: () => DERPMap;
  readonly #intervalMs: number;
  readonly #listeners: Listeners;
  #timer: ReturnType<typeof setInterval> | undefined;
  #last: DERPMap | undefined;

  constructor(fn: () => DERPMap, { intervalMs = 5_000, onProblem }: DerpMapFromOptions) {
    this.#fn = fn;
    this.#intervalMs = intervalMs;
    this.#listeners = new Listeners(onProblem);
  }

  get current(): DERPMap {
    const before = this.#last;
    try {
      const next = this.#fn();
      this.#listeners.recovered();
      if (before !== undefined && equals(DERPMapSchema, before, next)) return before;
      // the function may go on to change its map
      this.#last = clone(DERPMapSchema, next);
    } catch (error) {
      if (before === undefined) throw error;
      this.#listeners.problem(asError(error));
      return before;
    }
    if (before !== undefined && !sameDerpMap(before, this.#last)) this.#listeners.tell(this.#last);
    return this.#last;
  }

  subscribe(onChange: (map: DERPMap) => void): () => void {
    const end = this.#listeners.add(onChange);
    this.#timer ??= setInterval(() => this.#check(), this.#intervalMs);
    return () => {
      end();
      if (this.#listeners.count === 0) this.#stop();
    };
  }

  async close(): Promise<void> {
    this.#stop();
  }

  /** Whoever follows is told when the map is another. */
  #check(): void {
    try {
      void this.current;
    } catch (error) {
      this.#listeners.problem(asError(error));
    }
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** A map that stays as it is. */
export function fixedDerpMap(map: DERPMap): DerpMapSource {
  return { current: map, subscribe: () => () => {} };
}

/** What may be given where a map is wanted: where it comes from, one that stays, or a function. */
export type DerpMapOption = DerpMapSource | DERPMap | (() => DERPMap);

/**
 * The source that is meant.
 * @param onProblem told when a function throws.
 * @returns the source, and what ends it where it was made here.
 */
export function derpMapSourceOf(
  option: DerpMapOption,
  onProblem: OnDerpMapProblem,
): { source: DerpMapSource; close(): Promise<void> } {
  if (typeof option !== "function") {
    const source = "subscribe" in option ? option : fixedDerpMap(option);
    return { source, close: async () => {} };
  }
  const source = derpMapFrom(option, { onProblem });
  return { source, close: async () => source.close?.() };
}
