import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ContextKey,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { metadataHeaders, metadataKey } from "../metadata.js";
import { methodWire } from "../method.js";

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
  readonly #metadata: ReadonlyMap<string, string> | undefined;
  readonly #sessionValues: ContextValues | undefined;
  /** By `performance.now()`. */
  readonly #deadlineAtMs: number | undefined;
  #abort: AbortController | undefined;
  #end: { reason: unknown } | undefined;
  #made: MadeParts | undefined;

  constructor({ method, metadata, timeoutMs, sessionValues }: HandlerContextInit) {
    this.method = method;
    this.#metadata = metadata;
    this.#sessionValues = sessionValues;
    if (timeoutMs !== undefined) this.#deadlineAtMs = performance.now() + timeoutMs;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get requestMethod(): string {
    return "POST";
  }

  get protocolName(): string {
    return "drpc";
  }

  get url(): string {
    return `drpc:${methodWire(this.method).path}`;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#end !== undefined) this.#abort.abort(this.#end.reason);
    }
    return this.#abort.signal;
  }

  get timeoutMs(): () => number | undefined {
    const deadlineAtMs = this.#deadlineAtMs;
    return () => (deadlineAtMs === undefined ? undefined : deadlineAtMs - performance.now());
  }

  get requestHeader(): Headers {
    const parts = this.#parts;
    parts.requestHeader ??= metadataHeaders(this.#metadata);
    return parts.requestHeader;
  }

  /** dRPC carries no headers back: what is set here stays here. */
  get responseHeader(): Headers {
    const parts = this.#parts;
    parts.responseHeader ??= new Headers();
    return parts.responseHeader;
  }

  /** dRPC carries no trailers: what is set here stays here. */
  get responseTrailer(): Headers {
    const parts = this.#parts;
    parts.responseTrailer ??= new Headers();
    return parts.responseTrailer;
  }

  get values(): ContextValues {
    const parts = this.#parts;
    if (parts.values === undefined) {
      parts.values = new LayeredValues(this.#sessionValues);
      if (this.#metadata !== undefined) parts.values.set(metadataKey, this.#metadata);
    }
    return parts.values;
  }

  /** The call is over: whatever listens to the signal should stop. */
  end(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    this.#abort?.abort(reason);
  }

  get #parts(): MadeParts {
    this.#made ??= {};
    return this.#made;
  }
}

/** What few handlers look at. */
interface MadeParts {
  requestHeader?: Headers;
  responseHeader?: Headers;
  responseTrailer?: Headers;
  values?: ContextValues;
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
