import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ContextKey,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { metadataHeaders, metadataKey } from "./metadata.js";
import { methodWire } from "./method.js";

/** What a call's context is made of. */
export interface HandlerContextInit {
  method: DescMethod;
  metadata: ReadonlyMap<string, string> | undefined;
  timeoutMs: number | undefined;
  /** What the handlers of a session share, such as who the peer is. */
  sessionValues: ContextValues | undefined;
}

/**
 * The context of one call. Most handlers look at little of it, so signal, headers and values are made when they
 * are asked for.
 */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "drpc";

  readonly #init: HandlerContextInit;
  readonly #startedAtMs: number;
  #abort: AbortController | undefined;
  #hasEnded = false;
  #endReason: unknown;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(init: HandlerContextInit) {
    this.method = init.method;
    this.#init = init;
    this.#startedAtMs = init.timeoutMs === undefined ? 0 : performance.now();
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    return `drpc:${methodWire(this.method).path}`;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#hasEnded) this.#abort.abort(this.#endReason);
    }
    return this.#abort.signal;
  }

  get timeoutMs(): () => number | undefined {
    const { timeoutMs } = this.#init;
    return () => (timeoutMs === undefined ? undefined : this.#startedAtMs + timeoutMs - performance.now());
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= metadataHeaders(this.#init.metadata);
    return this.#requestHeader;
  }

  /** dRPC carries no headers back: what is set here stays here. */
  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  /** dRPC carries no trailers: what is set here stays here. */
  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    if (this.#values === undefined) {
      this.#values = new LayeredValues(this.#init.sessionValues);
      if (this.#init.metadata !== undefined) this.#values.set(metadataKey, this.#init.metadata);
    }
    return this.#values;
  }

  /** The call is over: whatever listens to the signal should stop. */
  end(reason: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#endReason = reason;
    this.#abort?.abort(reason);
  }
}

/** Values of one call over those of its session. */
class LayeredValues implements ContextValues {
  readonly #session: ContextValues | undefined;
  readonly #own = createContextValues();
  readonly #set = new Set<symbol>();

  constructor(session: ContextValues | undefined) {
    this.#session = session;
  }

  get<T>(key: ContextKey<T>): T {
    if (this.#session === undefined || this.#set.has(key.id)) return this.#own.get(key);
    return this.#session.get(key);
  }

  set<T>(key: ContextKey<T>, value: T): this {
    this.#set.add(key.id);
    this.#own.set(key, value);
    return this;
  }

  delete(key: ContextKey<unknown>): this {
    this.#set.add(key.id);
    this.#own.delete(key);
    return this;
  }
}
