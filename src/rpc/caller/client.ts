import type {
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  Code,
  makeAnyClient,
  type StreamResponse,
  type Transport,
} from "@connectrpc/connect";
import { RpcError } from "../errors.js";
import { methodWire } from "../method.js";

type Message = MessageInitShape<DescMethod["input"]>;

/** A call that has failed. */
export interface FailedCall {
  method: DescMethod;
  /** The request of a unary call; undefined for streams. */
  input: Message | undefined;
  options: CallOptions | undefined;
}

/** What whoever makes a client knows of its calls. A call that succeeds takes no more turns with it than without. */
export interface CallHooks {
  /** Asked before each call. @returns the error that it fails with, without being made; undefined to make it. */
  before(method: DescMethod): Error | undefined;
  /**
   * Asked when a call has failed, also by `before`.
   * @returns what a unary call is answered with in spite of that; not used for streams.
   * @throws what the caller gets.
   */
  failed(error: unknown, call: FailedCall): unknown;
}

/**
 * A client with the methods of a service, as Connect's `createClient` makes it, with one difference: leaving a
 * `for await` over answers cancels the call. (Connect's own client needs a signal for that; the call goes on
 * otherwise.)
 */
export function createServiceClient<T extends DescService>(
  service: T,
  transport: Transport,
  hooks?: CallHooks,
): Client<T> {
  return makeAnyClient(service, (method) => {
    switch (method.methodKind) {
      case "unary":
        return (input: Message, options?: CallOptions) => callUnary(transport, method, input, options, hooks);
      case "server_streaming":
        return (input: Message, options?: CallOptions) =>
          answers(transport, method, only(input), options, hooks);
      case "client_streaming":
        return (input: AsyncIterable<Message>, options?: CallOptions) =>
          callOnce(transport, method, input, options, hooks);
      case "bidi_streaming":
        return (input: AsyncIterable<Message>, options?: CallOptions) =>
          answers(transport, method, input, options, hooks);
    }
  }) as Client<T>;
}

function callUnary(
  transport: Transport,
  method: DescMethodUnary,
  input: Message,
  options: CallOptions | undefined,
  hooks: CallHooks | undefined,
): Promise<unknown> {
  const onFailure = hooks && ((error: unknown) => hooks.failed(error, { method, input, options }));
  const held = hooks?.before(method);
  if (held !== undefined) return Promise.reject(held).catch(onFailure);
  const call = transport.unary(
    method,
    options?.signal,
    options?.timeoutMs,
    options?.headers,
    input,
    options?.contextValues,
  );
  return call.then((response) => {
    options?.onHeader?.(response.header);
    options?.onTrailer?.(response.trailer);
    return response.message;
  }, onFailure);
}

function start(
  transport: Transport,
  method: DescMethodStreaming,
  input: AsyncIterable<Message>,
  options: CallOptions | undefined,
) {
  return transport.stream(
    method,
    options?.signal,
    options?.timeoutMs,
    options?.headers,
    input,
    options?.contextValues,
  );
}

/** The call begins at once, not with the first `next`, so that a call nobody reads is still made. */
function answers(
  transport: Transport,
  method: DescMethodStreaming,
  input: AsyncIterable<Message>,
  options: CallOptions | undefined,
  hooks: CallHooks | undefined,
): AsyncIterable<unknown> {
  const held = hooks?.before(method);
  const started = held === undefined ? start(transport, method, input, options) : Promise.reject(held);
  started.catch(() => {}); // it is told to whoever iterates
  return new Answers(started, method, options, hooks);
}

type Answer = IteratorResult<unknown, undefined>;

/**
 * The answers of a call, handed on as they come. A generator around them would take longer for each than all else that
 * is done with it.
 */
class Answers implements AsyncIterableIterator<unknown, undefined> {
  readonly #method: DescMethodStreaming;
  readonly #options: CallOptions | undefined;
  readonly #hooks: CallHooks | undefined;
  /** Until it has begun. */
  #started: Promise<StreamResponse> | undefined;
  #messages: AsyncIterator<unknown, undefined> | undefined;
  /** Where somebody wants to know of the end. */
  #watch: AnswersWatch | undefined;
  #isOver = false;

  constructor(
    started: Promise<StreamResponse>,
    method: DescMethodStreaming,
    options: CallOptions | undefined,
    hooks: CallHooks | undefined,
  ) {
    this.#started = started;
    this.#method = method;
    this.#options = options;
    this.#hooks = hooks;
  }

  next(): Promise<Answer> {
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    if (this.#messages === undefined) return this.#first();
    const next = this.#messages.next();
    return this.#watch === undefined ? next : next.then(this.#watch.onAnswer, this.#watch.onFailure);
  }

  async return(): Promise<Answer> {
    this.#isOver = true;
    const messages = await this.#begin().catch(() => undefined);
    await messages?.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #first(): Promise<Answer> {
    try {
      await this.#begin();
    } catch (error) {
      return this.#failed(error);
    }
    return this.next();
  }

  async #begin(): Promise<AsyncIterator<unknown, undefined> | undefined> {
    const response = await this.#started;
    if (response === undefined || this.#messages !== undefined) return this.#messages;
    this.#started = undefined;
    this.#messages = response.message[Symbol.asyncIterator]();
    const options = this.#options;
    if (options !== undefined || this.#hooks !== undefined) {
      this.#watch = {
        onAnswer: (answer) => {
          if (answer.done && !this.#isOver) {
            this.#isOver = true;
            options?.onTrailer?.(response.trailer);
          }
          return answer;
        },
        onFailure: (error) => this.#failed(error),
      };
    }
    options?.onHeader?.(response.header);
    return this.#messages;
  }

  #failed(error: unknown): never {
    this.#isOver = true;
    this.#hooks?.failed(error, { method: this.#method, input: undefined, options: this.#options });
    throw error;
  }
}

interface AnswersWatch {
  onAnswer(this: void, answer: Answer): Answer;
  onFailure(this: void, error: unknown): never;
}

async function callOnce(
  transport: Transport,
  method: DescMethodStreaming,
  input: AsyncIterable<Message>,
  options: CallOptions | undefined,
  hooks: CallHooks | undefined,
) {
  let only: { message: unknown } | undefined;
  for await (const message of answers(transport, method, input, options, hooks)) {
    only ??= { message };
  }
  if (only === undefined) {
    const rpc = methodWire(method).path;
    throw new RpcError(`${rpc}: the server ended the call without an answer`, Code.Internal, {
      layer: "drpc",
      rpc,
    });
  }
  return only.message;
}

async function* only(input: Message) {
  yield input;
}
