import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { defaultMaxPacketBytes, type MessageCodecs } from "../../codec/index.js";
import { failureOf } from "../errors.js";
import { intercept } from "../interceptors.js";
import { callMetadata } from "../metadata.js";
import { callerSide, type MethodSide, methodWire } from "../method.js";
import { CallGuard } from "./call-guard.js";
import type { CallStream } from "./call-stream.js";
import { callStreaming } from "./streaming-call.js";
import { callUnary } from "./unary-call.js";

/** Where the streams of calls come from. A yamux session is one, and so are plain connections that are shared. */
export interface StreamSource {
  /** @returns undefined when the caller has to wait: see `open`. */
  tryOpen(): CallStream | undefined;
  /** Waits for a stream. @throws TransportError when there will be none; the signal's reason when it ends first. */
  open(signal?: AbortSignal): Promise<CallStream>;
}

/** How calls are made. */
export interface DrpcTransportOptions {
  /** As with every Connect transport: the first is the outermost. */
  interceptors?: Interceptor[];
  /** Largest message in bytes, both ways; 4 MiB by default, which is what the reference peers take. */
  maxMessageBytes?: number;
  /** Deadline of calls that have none of their own. */
  defaultTimeoutMs?: number;
  /**
   * Generated codecs, such as `agentCallerCodecs`: several times as fast as protobuf-es, which is used for messages that
   * they do not know, and by default for all.
   */
  codecs?: MessageCodecs;
}

/**
 * A Connect `Transport` that makes dRPC calls, one stream each: `createClient(Agent, createDrpcTransport(session))`.
 * All four kinds of methods work; interceptors, signal, timeoutMs, headers and contextValues as with any other.
 *
 * A call that fails rejects with a `ConnectError`, mostly an `RpcError`, which says at which layer.
 */
export function createDrpcTransport(source: StreamSource, options: DrpcTransportOptions = {}): Transport {
  const interceptors = options.interceptors ?? [];
  const calls = new Calls(source, options);
  if (interceptors.length === 0) return calls;
  return new InterceptedCalls(calls, interceptors);
}

class Calls implements Transport {
  readonly #source: StreamSource;
  readonly #maxMessageBytes: number;
  readonly #defaultTimeoutMs: number | undefined;
  readonly #codecs: MessageCodecs | undefined;
  readonly #sides = new WeakMap<DescMethod, unknown>();

  constructor(source: StreamSource, options: DrpcTransportOptions) {
    this.#source = source;
    this.#maxMessageBytes = options.maxMessageBytes ?? defaultMaxPacketBytes;
    this.#defaultTimeoutMs = options.defaultTimeoutMs;
    this.#codecs = options.codecs;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
  ): Promise<UnaryResponse<I, O>> {
    const side = this.#sideOf(method);
    const limitMs = timeoutMs ?? this.#defaultTimeoutMs;
    try {
      const guard = guardFor(side.path, signal, limitMs);
      const init = {
        method,
        side,
        metadata: callMetadata(header, limitMs),
        body: side.encode(input, this.#maxMessageBytes),
        maxMessageBytes: this.#maxMessageBytes,
        guard,
      };
      const stream = this.#source.tryOpen();
      if (stream !== undefined) return callUnary(stream, init);
      // until there is a stream, other messages will be encoded
      init.body = init.body.slice();
      return this.#waitForStream(side.path, guard).then((opened) => callUnary(opened, init));
    } catch (error) {
      return Promise.reject(failureOf(error, side.path, 0));
    }
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
  ): Promise<StreamResponse<I, O>> {
    const side = this.#sideOf(method);
    const limitMs = timeoutMs ?? this.#defaultTimeoutMs;
    try {
      const guard = guardFor(side.path, signal, limitMs);
      const metadata = callMetadata(header, limitMs);
      const stream = this.#source.tryOpen() ?? (await this.#waitForStream(side.path, guard));
      const maxMessageBytes = this.#maxMessageBytes;
      return await callStreaming(stream, { method, side, metadata, input, maxMessageBytes, guard });
    } catch (error) {
      throw failureOf(error, side.path, 0);
    }
  }

  #sideOf<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O> | DescMethodStreaming<I, O>,
  ): MethodSide<I, O> {
    const known = this.#sides.get(method) as MethodSide<I, O> | undefined;
    if (known !== undefined) return known;
    const side = callerSide(method, this.#codecs);
    this.#sides.set(method, side);
    return side;
  }

  /** Waits for room for a stream, as long as signal and deadline allow. */
  async #waitForStream(rpc: string, guard: CallGuard | undefined): Promise<CallStream> {
    try {
      // with a thousand calls under way most wait, and a controller costs as much as a call
      if (guard === undefined) return await this.#source.open();
      const abort = new AbortController();
      guard.watch((error) => abort.abort(error));
      return await this.#source.open(abort.signal);
    } catch (error) {
      throw failureOf(error, rpc, 0);
    } finally {
      guard?.release();
    }
  }
}

function guardFor(
  rpc: string,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): CallGuard | undefined {
  if (signal === undefined && timeoutMs === undefined) return undefined;
  const guard = new CallGuard(rpc, signal, timeoutMs);
  guard.check();
  return guard;
}

/** The same calls with interceptors around them, which see requests and answers as with every Connect transport. */
class InterceptedCalls implements Transport {
  readonly #calls: Calls;
  readonly #interceptors: readonly Interceptor[];

  constructor(calls: Calls, interceptors: readonly Interceptor[]) {
    this.#calls = calls;
    this.#interceptors = interceptors;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const request: UnaryRequest<I, O> = {
      ...common(method, signal, header, contextValues),
      stream: false,
      method,
      message: create(method.input, input),
    };
    const next = intercept(this.#interceptors, (req) => {
      const { message, signal: reqSignal, header: reqHeader } = req as unknown as UnaryRequest<I, O>;
      return this.#calls.unary(
        method,
        reqSignal,
        timeoutMs,
        nonEmpty(reqHeader),
        message as MessageInitShape<I>,
      ) as never;
    });
    return (await next(request as never)) as unknown as UnaryResponse<I, O>;
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const request: StreamRequest<I, O> = {
      ...common(method, signal, header, contextValues),
      stream: true,
      method,
      message: created(method.input, input),
    };
    const next = intercept(this.#interceptors, (req) => {
      const { message, signal: reqSignal, header: reqHeader } = req as unknown as StreamRequest<I, O>;
      const messages = message as AsyncIterable<MessageInitShape<I>>;
      return this.#calls.stream(method, reqSignal, timeoutMs, nonEmpty(reqHeader), messages) as never;
    });
    return (await next(request as never)) as unknown as StreamResponse<I, O>;
  }
}

function common(
  method: DescMethodUnary | DescMethodStreaming,
  signal: AbortSignal | undefined,
  header: HeadersInit | undefined,
  contextValues: ContextValues | undefined,
) {
  return {
    service: method.parent,
    requestMethod: "POST",
    url: `drpc:${methodWire(method).path}`,
    signal: signal ?? new AbortController().signal,
    header: new Headers(header),
    contextValues: contextValues ?? createContextValues(),
  };
}

/** Headers that say something: empty ones would be sent as metadata. */
function nonEmpty(headers: Headers): Headers | undefined {
  return headers.keys().next().done ? undefined : headers;
}

async function* created<T extends DescMessage>(schema: T, input: AsyncIterable<MessageInitShape<T>>) {
  for await (const message of input) yield create(schema, message);
}
