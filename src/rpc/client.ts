import type {
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, makeAnyClient, type Transport } from "@connectrpc/connect";
import { RpcError } from "./errors.js";
import { methodWire } from "./method.js";

type Message = MessageInitShape<DescMethod["input"]>;

/**
 * A client with the methods of a service, as Connect's `createClient` makes it, with one difference: leaving a
 * `for await` over answers cancels the call. (Connect's own client needs a signal for that; the call goes on
 * otherwise.)
 */
export function createServiceClient<T extends DescService>(service: T, transport: Transport): Client<T> {
  return makeAnyClient(service, (method) => {
    switch (method.methodKind) {
      case "unary":
        return (input: Message, options?: CallOptions) => callUnary(transport, method, input, options);
      case "server_streaming":
        return (input: Message, options?: CallOptions) => answers(transport, method, only(input), options);
      case "client_streaming":
        return (input: AsyncIterable<Message>, options?: CallOptions) =>
          callOnce(transport, method, input, options);
      case "bidi_streaming":
        return (input: AsyncIterable<Message>, options?: CallOptions) =>
          answers(transport, method, input, options);
    }
  }) as Client<T>;
}

function callUnary(
  transport: Transport,
  method: DescMethodUnary,
  input: Message,
  options: CallOptions | undefined,
) {
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
  });
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
): AsyncIterable<unknown> {
  const started = start(transport, method, input, options);
  started.catch(() => {}); // it is told to whoever iterates
  return {
    async *[Symbol.asyncIterator]() {
      const response = await started;
      options?.onHeader?.(response.header);
      yield* response.message;
      options?.onTrailer?.(response.trailer);
    },
  };
}

async function callOnce(
  transport: Transport,
  method: DescMethodStreaming,
  input: AsyncIterable<Message>,
  options: CallOptions | undefined,
) {
  let only: { message: unknown } | undefined;
  for await (const message of answers(transport, method, input, options)) {
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
