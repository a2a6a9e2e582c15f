import http from "node:http";
import { create } from "@bufbuild/protobuf";
import { dialAgent } from "agentwire/client";
import { createServiceClient } from "agentwire/rpc";
import { attachRpc, startControlPlane } from "agentwire/server";
import { EchoService, ServerStreamRequestSchema } from "../../gen/agentwire/test/v1/echo_pb.js";
import { listening } from "./listening.mjs";

/**
 * Handlers that send one message and then wait: `promise` for a promise, `signal` for the end of the call, `callback`
 * without a generator, as grpc-js's do. They count what they send beyond that.
 *
 * @param {string} variant `promise`, `signal`, `callback` or `plane` for the control plane
 * @param {{ windowBytes?: number }} settings
 */
export async function serve(variant, { windowBytes, tokens = 0 } = {}) {
  if (variant === "plane") return servePlane(tokens);
  const server = http.createServer();
  const shared = new Uint8Array(64);
  let floodedBytes = 0;
  /** @type {any} */
  const handlers = {
    unary: ({ payload }) => ({ payload }),
    async *serverStream({ payload, count }, context) {
      yield { payload };
      for (let sent = 1; sent < count; sent++) {
        floodedBytes += payload.length;
        yield { payload };
      }
      if (variant === "signal") await aborted(context.signal);
      else await never;
    },
  };
  if (variant === "callback") handlers.serverStream = ({ payload }) => new OneAnswer({ payload });
  attachRpc(server, {
    authenticate: ({ token }) => ({ token }),
    ...(windowBytes === undefined ? {} : { yamux: { windowBytes } }),
    routes: (router) => router.service(EchoService, handlers),
  });
  return {
    port: await listening(server),
    flooded: () => floodedBytes,
    /** What the handler itself keeps for a stream, where nobody calls it but this. */
    async alone() {
      // a view of what others are views of too, as on the wire
      const request = create(ServerStreamRequestSchema, { payload: shared.subarray(0, 16), count: 1 });
      const answers = handlers.serverStream(request, {});
      await answers.next();
      return { answers, next: answers.next() };
    },
  };
}

const never = new Promise(() => {});

/** Answers of which the first is there, and no other comes. */
class OneAnswer {
  #answer;

  constructor(answer) {
    this.#answer = answer;
  }

  next() {
    const value = this.#answer;
    this.#answer = undefined;
    return value === undefined ? never : Promise.resolve({ done: false, value });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

/** What whoever reads a stream keeps itself, where there is no stream. */
export async function readAlone() {
  await new Promise((resolve) => void readAll(new OneAnswer({}), resolve));
}

/** @param {number} count of agents */
async function servePlane(count) {
  const workspaces = Array.from({ length: count }, (_, i) => ({
    owner: `user-${i % 100}`,
    name: `workspace-${i}`,
    agents: [{ name: "main" }],
  }));
  const plane = await startControlPlane({ workspaces });
  return { port: Number(new URL(plane.url).port), tokens: plane.agents.map(({ token }) => token) };
}

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/**
 * @param {number} port
 * @param {{ windowBytes?: number, token?: string }} settings
 * @param {string} variant `callback` reads streams without an async function, as grpc-js does
 */
export async function connect(port, { windowBytes, token = "bench" } = {}, variant = "promise") {
  const connection = await dialAgent({
    url: `http://127.0.0.1:${port}`,
    token,
    proxy: false,
    ...(windowBytes === undefined ? {} : { yamux: { windowBytes } }),
  });
  const echo = createServiceClient(EchoService, connection.transport);
  return {
    call: () => echo.unary({}),
    /** A call of the agent API, for connections to the control plane. */
    agentCall: () => connection.agent.getAnnouncementBanners({}),
    /** A stream of which the first message has come, and whoever reads waits for the next. */
    openStream(payload) {
      return new Promise((resolve, reject) => {
        if (variant === "callback") {
          const answers = echo.serverStream({ payload, count: 1 })[Symbol.asyncIterator]();
          void answers.next().then((first) => {
            void answers.next();
            resolve(first);
          }, reject);
          return;
        }
        void readAll(echo.serverStream({ payload, count: 1 }), resolve).catch(reject);
      });
    },
    /** A stream that nobody reads behind its first message. */
    async openPaused(payload) {
      const answers = echo.serverStream({ payload, count: 0x7fff_ffff })[Symbol.asyncIterator]();
      await answers.next();
      return answers;
    },
    close: () => connection.close(),
  };
}

async function readAll(answers, onFirst) {
  for await (const _ of answers) onFirst();
}
