import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import type { RpcError } from "../../../src/rpc/index.js";
import { attachRpc, type RpcEndpointOptions } from "../../../src/server/index.js";
import type { TransportError, YamuxSession } from "../../../src/transport/index.js";
import { EchoService } from "../../gen/agentwire/test/v1/echo_pb.js";
import { eventually } from "../../support/control-plane.js";
import { echoRoutes } from "../../support/echo.js";
import { type Facts, GoPeer } from "../../support/go-peer.js";
import { commandMs, echoRpc, expectQuietAtEnd, goDial } from "./go-client.js";

export interface EchoServer {
  url: string;
  /** Sessions in the order in which they began, also those that have ended. */
  sessions: YamuxSession[];
  /** The latest of them. */
  readonly session: YamuxSession;
  protocolErrors: RpcError[];
  /** How sessions have ended. */
  ends: TransportError[];
}

/** A server of ours with the echo service, at the agent API's path. It lets everybody in, and ends with the test. */
export async function echoServer(
  routes: (router: ConnectRouter) => void = echoRoutes,
  options: Partial<RpcEndpointOptions<undefined>> = {},
): Promise<EchoServer> {
  const http = createServer();
  const sessions: YamuxSession[] = [];
  const protocolErrors: RpcError[] = [];
  const ends: TransportError[] = [];
  const endpoint = attachRpc(http, {
    authenticate: () => undefined,
    routes,
    onSession: ({ session }) => {
      sessions.push(session);
      return (end) => void ends.push(end);
    },
    onProtocolError: (error) => void protocolErrors.push(error),
    ...options,
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    await endpoint.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    sessions,
    get session() {
      const session = sessions.at(-1);
      if (session === undefined) throw new Error("there is no session");
      return session;
    },
    protocolErrors,
    ends,
  };
}

/** A Go client's session with a server of ours. */
export interface GoEcho {
  peer: GoPeer;
  echo: EchoServer;
  /** The handle of the Go side. */
  session: number;
  /** A unary call. */
  call(facts?: Facts): Promise<Facts>;
  /** Begins a streaming call. */
  stream(method: string): Promise<GoStream>;
}

/** A streaming call of the Go client. */
interface GoStream {
  handle: number;
  send(facts: Facts): Promise<Facts>;
  recv(facts?: Facts): Promise<Facts>;
  closeSend(): Promise<Facts>;
  cancel(): Promise<Facts>;
}

/** Starts an echo server and a Go client of it. */
export async function goEcho(
  server: EchoServer | Promise<EchoServer> = echoServer(),
  dial: Facts = {},
): Promise<GoEcho> {
  const peer = GoPeer.start();
  const echo = await server;
  const session = await goDial(peer, echo, dial);
  await eventually(() => echo.sessions.length === 1, "the session is known");
  return {
    peer,
    echo,
    session,
    call: (facts = {}) =>
      peer.do("call", { handle: session, rpc: echoRpc("Unary"), timeoutMs: commandMs, ...facts }),
    async stream(method) {
      const handle = await peer.handle("stream", { handle: session, rpc: echoRpc(method) });
      return {
        handle,
        send: (facts) => peer.do("send", { handle, timeoutMs: commandMs, ...facts }),
        recv: (facts = {}) => peer.do("recv", { handle, timeoutMs: commandMs, ...facts }),
        closeSend: () => peer.do("closeSend", { handle }),
        cancel: () => peer.do("cancel", { handle }),
      };
    },
  };
}

/** The same, for a session that must live and have nothing left to do at the end of the test. */
export async function quietGoEcho(...args: Parameters<typeof goEcho>): Promise<GoEcho> {
  const made = await goEcho(...args);
  expectQuietAtEnd(made.peer, made.session, made.echo.session);
  return made;
}

/** What handlers that never end by themselves have seen. */
export interface Waiting {
  started: number;
  /** Handlers whose signal was aborted. */
  cancelled: number;
  /** Generators that have run their clean-up. */
  cleaned: number;
}

/** Handlers of the echo service that go on until they are cancelled, and what becomes of them. */
export function waitingHandlers(): { state: Waiting; routes: (router: ConnectRouter) => void } {
  const state: Waiting = { started: 0, cancelled: 0, cleaned: 0 };
  const aborted = ({ signal }: HandlerContext) =>
    new Promise<never>((_resolve, reject) => {
      state.started++;
      signal.addEventListener("abort", () => {
        state.cancelled++;
        reject(signal.reason);
      });
    });
  const routes = (router: ConnectRouter) =>
    void router.service(EchoService, {
      unary: (_request, context) => aborted(context),
      async *serverStream({ payload }, context) {
        const end = aborted(context);
        end.catch(() => {}); // it may come while nobody waits for it
        try {
          yield { payload };
          await end;
        } finally {
          state.cleaned++;
        }
      },
      clientStream: (_requests, context) => aborted(context),
      async *bidi(requests, context) {
        aborted(context).catch(() => {});
        try {
          for await (const { payload } of requests) yield { payload };
        } finally {
          state.cleaned++;
        }
      },
    });
  return { state, routes };
}
