/**
 * Spans and metrics of RPCs with OpenTelemetry: interceptors for clients and servers. Needs `@opentelemetry/api`, which
 * is only imported here.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamResponse,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  type Attributes,
  type Context,
  context,
  type Histogram,
  type MeterProvider,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { errorText } from "../rpc/error-text.js";
import { codeName } from "./code-name.js";
import { hideSecrets } from "./redact.js";

/** Where spans and metrics go. */
export interface OpenTelemetryOptions {
  /** The global one of `@opentelemetry/api` by default. */
  tracerProvider?: TracerProvider;
  /** The global one of `@opentelemetry/api` by default. */
  meterProvider?: MeterProvider;
}

/**
 * An interceptor for clients: a span of the kind client for each call, whose context goes with it as metadata
 * (`traceparent`, and whatever the propagator that is set up adds), and the histogram `rpc.client.duration` in
 * milliseconds.
 */
export function clientTelemetry(options: OpenTelemetryOptions = {}): Interceptor {
  return telemetry("client", options);
}

/**
 * An interceptor for servers: a span of the kind server for each call, below that of the caller where the call's
 * metadata has one, and the histogram `rpc.server.duration` in milliseconds. Handlers run in the span's context.
 */
export function serverTelemetry(options: OpenTelemetryOptions = {}): Interceptor {
  return telemetry("server", options);
}

/** The instrumentation, by the name of its package. */
const scope = "agentwire";

/** What is the server's fault, and not its caller's, by the conventions for gRPC. */
const serverFaults: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

const { text: shown } = hideSecrets();

function telemetry(side: "client" | "server", options: OpenTelemetryOptions): Interceptor {
  const tracer = (options.tracerProvider ?? trace.getTracerProvider()).getTracer(scope);
  const durations = (options.meterProvider ?? metrics.getMeterProvider())
    .getMeter(scope)
    .createHistogram(`rpc.${side}.duration`, { unit: "ms", description: "How long RPCs took." });
  return (next) => async (request) => {
    const attributes = attributesOf(request.method, request.url);
    const outer =
      side === "client" ? context.active() : propagation.extract(context.active(), request.header, getter);
    const kind = side === "client" ? SpanKind.CLIENT : SpanKind.SERVER;
    const span = tracer.startSpan(
      `${request.service.typeName}/${request.method.name}`,
      { kind, attributes },
      outer,
    );
    const inner = trace.setSpan(outer, span);
    if (side === "client") propagation.inject(inner, request.header, setter);
    const call = new Call(side, span, attributes, durations);
    try {
      const response = await context.with(inner, () => next(request));
      return isStream(response)
        ? { ...response, message: watched(response.message, inner, call) }
        : call.endedWith(response);
    } catch (error) {
      throw call.failedWith(error);
    }
  };
}

function isStream(response: UnaryResponse | StreamResponse): response is StreamResponse {
  return response.stream;
}

/** One call: its span ends once. */
class Call {
  readonly #side: "client" | "server";
  readonly #span: Span;
  readonly #attributes: Attributes;
  readonly #durations: Histogram;
  readonly #beganAtMs = performance.now();
  #hasEnded = false;

  constructor(side: "client" | "server", span: Span, attributes: Attributes, durations: Histogram) {
    this.#side = side;
    this.#span = span;
    this.#attributes = attributes;
    this.#durations = durations;
  }

  /** It ended well. */
  endedWith<Value>(value: Value): Value {
    this.#end({});
    return value;
  }

  /** It failed. @returns the error as it was. */
  failedWith(error: unknown): unknown {
    const code = error instanceof ConnectError ? error.code : Code.Unknown;
    if (!this.#hasEnded && (this.#side === "client" || serverFaults.has(code))) {
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: shown(errorText(error)) });
    }
    this.#end({ "error.type": codeName(code) });
    return error;
  }

  #end(outcome: Attributes): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#span.setAttributes(outcome);
    this.#span.end();
    this.#durations.record(performance.now() - this.#beganAtMs, { ...this.#attributes, ...outcome });
  }
}

/** A stream whose end is that of its call, and whose source runs in the call's context. */
function watched<Message>(
  messages: AsyncIterable<Message>,
  inner: Context,
  call: Call,
): AsyncIterable<Message> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = context.with(inner, () => messages[Symbol.asyncIterator]());
      const told = async (step: () => Promise<IteratorResult<Message>>) => {
        try {
          const result = await context.with(inner, step);
          return result.done === true ? call.endedWith(result) : result;
        } catch (error) {
          throw call.failedWith(error);
        }
      };
      const { throw: fail } = iterator;
      return {
        next: () => told(() => iterator.next()),
        return: (value?: unknown) =>
          told(async () => (await iterator.return?.(value)) ?? { done: true, value: undefined }),
        ...(fail && { throw: (error?: unknown) => told(() => fail.call(iterator, error)) }),
      };
    },
  };
}

function attributesOf(method: DescMethod, url: string): Attributes {
  return {
    "rpc.system": url.startsWith("drpc:") ? "drpc" : "connect_rpc",
    "rpc.service": method.parent.typeName,
    "rpc.method": method.name,
  };
}

const setter: TextMapSetter<Headers> = { set: (headers, name, value) => headers.set(name, value) };
const getter: TextMapGetter<Headers> = {
  keys: (headers) => [...headers.keys()],
  get: (headers, name) => headers.get(name) ?? undefined,
};
