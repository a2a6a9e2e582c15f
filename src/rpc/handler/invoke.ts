import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { HandlerContext, MethodImplSpec, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { intercept } from "../interceptors.js";
import type { CallContext } from "./handler-context.js";
import type { RegisteredMethod } from "./router.js";

export type UnarySpec = Extract<MethodImplSpec, { kind: "unary" }>;
export type ServerStreamingSpec = Extract<MethodImplSpec, { kind: "server_streaming" }>;
export type StreamingSpec = Exclude<MethodImplSpec, { kind: "unary" }>;
export type Request = MessageShape<DescMessage>;
export type Answer = MessageInitShape<DescMessage>;

/** Runs a unary handler, with its interceptors around it. */
export function invokeUnary(
  registered: RegisteredMethod,
  spec: UnarySpec,
  message: Request,
  context: CallContext,
): Promise<Answer> | Answer {
  if (registered.interceptors.length === 0) return spec.impl(message, context);
  const { method } = spec;
  const next = intercept(registered.interceptors, async (req) => {
    const answer = await spec.impl((req as UnaryRequest).message, contextOf(req, context));
    return {
      ...responseOf(context),
      stream: false,
      method: method as DescMethodUnary,
      message: create(method.output, answer),
    };
  });
  const request: UnaryRequest = {
    ...requestOf(context),
    stream: false,
    method: method as DescMethodUnary,
    message,
  };
  return next(request).then((answer) => answer.message as Answer);
}

/** Runs a handler that answers one message with several. */
export function invokeServerStreaming(
  registered: RegisteredMethod,
  spec: ServerStreamingSpec,
  message: Request,
  context: CallContext,
): AsyncIterable<Answer> | Promise<AsyncIterable<Answer>> {
  if (registered.interceptors.length === 0) return spec.impl(message, context);
  return invokeStreaming(registered, spec, only(message), context);
}

/** Runs a handler of any other kind: messages in, messages out. */
export function invokeStreaming(
  registered: RegisteredMethod,
  spec: StreamingSpec,
  requests: AsyncIterable<Request>,
  context: CallContext,
): AsyncIterable<Answer> | Promise<AsyncIterable<Answer>> {
  if (registered.interceptors.length === 0) return runStreaming(spec, requests, context);
  const { method } = spec;
  const next = intercept(registered.interceptors, async (req) => {
    const answers = await runStreaming(spec, (req as StreamRequest).message, contextOf(req, context));
    return { ...responseOf(context), stream: true, method, message: created(method.output, answers) };
  });
  const request: StreamRequest = { ...requestOf(context), stream: true, method, message: requests };
  return next(request).then((answer) => answer.message as AsyncIterable<Answer>);
}

function runStreaming(
  spec: StreamingSpec,
  requests: AsyncIterable<Request>,
  context: HandlerContext,
): AsyncIterable<Answer> | Promise<AsyncIterable<Answer>> {
  if (spec.kind === "bidi_streaming") return spec.impl(requests, context);
  if (spec.kind === "client_streaming") return once(async () => spec.impl(requests, context));
  return answersToOne(spec, requests, context);
}

async function* once(make: () => Promise<Answer>): AsyncGenerator<Answer> {
  yield await make();
}

/** What the handler itself gives: a generator around it would take as long as the rest of an answer. */
async function answersToOne(
  spec: ServerStreamingSpec,
  requests: AsyncIterable<Request>,
  context: HandlerContext,
): Promise<AsyncIterable<Answer>> {
  for await (const message of requests) return spec.impl(message, context);
  return nothing();
}

async function* only(message: Request): AsyncGenerator<Request> {
  yield message;
}

async function* nothing(): AsyncGenerator<never> {}

/** The context as interceptors left it: they may hand on another signal, other headers or values. */
function contextOf(request: UnaryRequest | StreamRequest, context: CallContext): HandlerContext {
  return {
    method: context.method,
    service: context.service,
    requestMethod: context.requestMethod,
    protocolName: context.protocolName,
    url: context.url,
    timeoutMs: context.timeoutMs,
    responseHeader: context.responseHeader,
    responseTrailer: context.responseTrailer,
    signal: request.signal,
    requestHeader: request.header,
    values: request.contextValues,
  };
}

function requestOf(context: CallContext) {
  return {
    service: context.service,
    requestMethod: context.requestMethod,
    url: context.url,
    signal: context.signal,
    header: context.requestHeader,
    contextValues: context.values,
  };
}

function responseOf(context: CallContext) {
  return { service: context.service, header: context.responseHeader, trailer: context.responseTrailer };
}

async function* created(schema: DescMessage, answers: AsyncIterable<Answer>): AsyncGenerator<Request> {
  for await (const answer of answers) yield create(schema, answer);
}
