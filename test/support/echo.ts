import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import {
  createDrpcTransport,
  createRpcTable,
  type DrpcTransportOptions,
  type RpcError,
  type ServeOptions,
  serveStream,
} from "../../src/rpc/index.js";
import {
  type ByteConnection,
  createMemoryPair,
  createYamuxSession,
  type YamuxOptions,
} from "../../src/transport/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";

/** Handlers of the echo service. */
export function echoRoutes(router: ConnectRouter): void {
  router.service(EchoService, {
    unary: ({ payload }) => ({ payload }),
    async *serverStream({ payload, count }) {
      for (let i = 0; i < count; i++) yield { payload };
    },
    async clientStream(requests) {
      const payloads: Uint8Array[] = [];
      for await (const { payload } of requests) payloads.push(payload);
      return { payload: Buffer.concat(payloads) };
    },
    async *bidi(requests) {
      for await (const { payload } of requests) yield { payload };
    },
  });
}

export interface Served {
  protocolErrors: RpcError[];
  client: ReturnType<typeof createYamuxSession>;
  server: ReturnType<typeof createYamuxSession>;
  transport: ReturnType<typeof createDrpcTransport>;
}

/** A client and a server in this process, connected in memory. Both end with the test. */
export function serve(
  routes: (router: ConnectRouter) => void = echoRoutes,
  options: {
    transport?: DrpcTransportOptions;
    serve?: ServeOptions;
    table?: Parameters<typeof createRpcTable>[1];
    yamux?: YamuxOptions;
    wrap?: (connection: ByteConnection, side: "client" | "server") => ByteConnection;
  } = {},
): Served {
  const [a, b] = createMemoryPair();
  const wrap = options.wrap ?? ((connection) => connection);
  const table = createRpcTable(routes, options.table);
  const protocolErrors: RpcError[] = [];
  const server = createYamuxSession(wrap(b, "server"), {
    role: "server",
    ...options.yamux,
    onStream: (stream) =>
      serveStream(stream, table, {
        onProtocolError: (error) => protocolErrors.push(error),
        ...options.serve,
      }),
  });
  const client = createYamuxSession(wrap(a, "client"), { role: "client", ...options.yamux });
  onTestFinished(async () => {
    await client.close();
    await server.close();
  });
  return { client, server, protocolErrors, transport: createDrpcTransport(client, options.transport) };
}

/** An error of a call that failed as it should. */
export async function failure(promise: Promise<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return error as RpcError;
  }
  throw new ConnectError("the call did not fail", Code.FailedPrecondition);
}

export async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}
