import { create, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { encodePacket, PacketKind } from "../../src/codec/index.js";
import {
  type ConversationSourceOptions,
  createConversationSource,
  createDrpcTransport,
  createRpcTable,
  createServiceClient,
  type RpcError,
  serveStream,
} from "../../src/rpc/index.js";
import {
  type ByteConnection,
  type ConnectionStream,
  connectionStream,
  createMemoryPair,
} from "../../src/transport/index.js";
import { EchoService, UnaryRequestSchema } from "../gen/agentwire/test/v1/echo_pb.js";
import { eventually } from "../support/control-plane.js";
import { collect, echoRoutes, failure } from "../support/echo.js";
import { recut } from "../support/recut-connection.js";
import { runs } from "../support/scale.js";

interface Options extends Partial<ConversationSourceOptions> {
  routes?: (router: ConnectRouter) => void;
  wrap?: (connection: ByteConnection) => ByteConnection;
  /** In place of our server. */
  answer?: (connection: ByteConnection) => void;
}

/** A client and a server on plain connections in memory; all ends with the test. */
function plain({ routes = echoRoutes, wrap = (one) => one, answer, ...options }: Options = {}) {
  const table = createRpcTable(routes);
  const served: ConnectionStream[] = [];
  const ends: ByteConnection[] = [];
  const broken: RpcError[] = [];
  const source = createConversationSource({
    dial: async () => {
      const [a, b] = createMemoryPair();
      ends.push(b);
      if (answer !== undefined) answer(b);
      else {
        const stream = connectionStream(wrap(b), { pausesWhileFull: true });
        served.push(stream);
        serveStream(stream, table, { onProtocolError: (error) => broken.push(error) });
      }
      return connectionStream(wrap(a));
    },
    ...options,
  });
  onTestFinished(() => source.close());
  const echo = createServiceClient(EchoService, createDrpcTransport(source));
  const alive = () => served.filter(({ isAlive }) => isAlive).length;
  return { echo, source, served, ends, broken, alive };
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Routes whose unary calls wait until they are let go. */
function heldRoutes() {
  const held: { payload: Uint8Array; signal: AbortSignal; release: () => void }[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(EchoService, {
      unary: ({ payload }, { signal }) =>
        new Promise((resolve) => held.push({ payload, signal, release: () => resolve({ payload }) })),
    });
  };
  return { held, routes };
}

async function* payloads(count: number) {
  for (let i = 0; i < count; i++) yield { payload: bytes(`${i}`) };
}

describe("calls on a plain connection (W1.3, C5.1)", () => {
  it("go one after the other on the same connection, of all four kinds", async () => {
    const { echo, served, broken } = plain();
    for (let round = 0; round < 100; round++) {
      expect((await echo.unary({ payload: bytes(`${round}`) })).payload).toEqual(bytes(`${round}`));
      expect(await collect(echo.serverStream({ payload: bytes("x"), count: 3 }))).toHaveLength(3);
      expect((await echo.clientStream(payloads(3))).payload).toEqual(bytes("012"));
      expect(await collect(echo.bidi(payloads(3)))).toHaveLength(3);
    }
    expect(served).toHaveLength(1);
    expect(broken).toEqual([]);
  });

  it("go on after one that the handler refuses, and one that is not there", async () => {
    const { echo, served } = plain({
      routes: (router) =>
        router.rpc(EchoService.method.unary, ({ payload }) => {
          if (payload.length === 0) throw new Error("nothing to give back");
          return { payload };
        }),
    });
    expect(await failure(echo.unary({}))).toMatchObject({ rawMessage: "nothing to give back", drpcCode: 0 });
    expect(await failure(echo.clientStream(payloads(1)))).toMatchObject({ code: Code.Unimplemented });
    expect((await echo.unary({ payload: bytes("a") })).payload).toEqual(bytes("a"));
    expect(served).toHaveLength(1);
  });

  it("that are made at the same time have a connection each, of which one stays", async () => {
    const { held, routes } = heldRoutes();
    const { echo, served, alive } = plain({ routes });
    const calls = Array.from({ length: 5 }, (_, i) => echo.unary({ payload: bytes(`${i}`) }));
    await eventually(() => held.length === 5, "five handlers");
    expect(served).toHaveLength(5);
    for (const { release } of held) release();
    const answers = await Promise.all(calls);
    expect(answers.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["0", "1", "2", "3", "4"]);
    await eventually(() => alive() === 1, "one connection is left");
  });

  it("wait for a connection when there are as many as allowed, and are refused beyond", async () => {
    const { held, routes } = heldRoutes();
    const { echo, served } = plain({ routes, maxStreams: 2, maxWaitingCalls: 3 });
    const calls = Array.from({ length: 5 }, (_, i) => echo.unary({ payload: bytes(`${i}`) }));
    await eventually(() => held.length === 2, "two handlers");
    expect(await failure(echo.unary({}))).toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: expect.stringContaining("3 calls wait for a connection already"),
    });
    for (let done = 0; done < 5; done++) {
      await eventually(() => held.length > done, "the next handler");
      held[done]?.release();
    }
    expect(await Promise.all(calls)).toHaveLength(5);
    expect(served.length).toBe(2);
  });

  it("leave the line when their caller does not want them any more", async () => {
    const { held, routes } = heldRoutes();
    const { echo } = plain({ routes, maxStreams: 1 });
    const first = echo.unary({ payload: bytes("a") });
    await eventually(() => held.length === 1, "the handler");
    const abort = new AbortController();
    const second = failure(echo.unary({ payload: bytes("b") }, { signal: abort.signal }));
    abort.abort();
    expect(await second).toMatchObject({ code: Code.Canceled });
    expect(await failure(echo.unary({}, { timeoutMs: 5 }))).toMatchObject({ code: Code.DeadlineExceeded });
    const last = echo.unary({ payload: bytes("c") });
    held[0]?.release();
    await first;
    await eventually(() => held.length === 2, "the last call's handler");
    held[1]?.release();
    expect((await last).payload).toEqual(bytes("c"));
  });

  it("that are given up end their connection, which cancels the handler; the next call has another one", async () => {
    const { held, routes } = heldRoutes();
    const { echo, alive } = plain({ routes });
    const abort = new AbortController();
    const call = failure(echo.unary({ payload: bytes("a") }, { signal: abort.signal }));
    await eventually(() => held.length === 1, "the handler");
    abort.abort();
    expect(await call).toMatchObject({ code: Code.Canceled });
    await eventually(() => held[0]?.signal.aborted === true, "the handler is cancelled");
    expect(alive()).toBe(0);
    const next = echo.unary({ payload: bytes("b") });
    await eventually(() => held.length === 2, "the handler of the next call");
    held[1]?.release();
    expect((await next).payload).toEqual(bytes("b"));
  });

  it("fail when the connection is lost under them; the next one dials again", async () => {
    const { held, routes } = heldRoutes();
    const { echo, ends } = plain({ routes });
    const call = failure(echo.unary({}));
    await eventually(() => held.length === 1, "the handler");
    ends[0]?.abort();
    expect(await call).toMatchObject({ code: Code.Unavailable, layer: "connection" });
    const next = echo.unary({ payload: bytes("b") });
    await eventually(() => held.length === 2, "the handler of the next call");
    held[1]?.release();
    expect((await next).payload).toEqual(bytes("b"));
  });

  it("fail with what dialling fails with, those that wait for it too", async () => {
    const dial = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      throw new Error("nobody there");
    });
    const { echo } = plain({ dial, maxStreams: 1 });
    const errors = await Promise.all([1, 2, 3].map(() => failure(echo.unary({}))));
    for (const { rawMessage } of errors) expect(rawMessage).toContain("nobody there");
    expect(dial).toHaveBeenCalledTimes(1);
  });

  it("are served by a new connection when the one that they wait for is lost", async () => {
    const { held, routes } = heldRoutes();
    const { echo, ends } = plain({ routes, maxStreams: 1 });
    const first = failure(echo.unary({}));
    await eventually(() => held.length === 1, "the handler");
    const second = echo.unary({ payload: bytes("b") });
    ends[0]?.abort();
    await first;
    await eventually(() => held.length === 2, "the handler of the call that waited");
    held[1]?.release();
    expect((await second).payload).toEqual(bytes("b"));
  });

  it("end when the source is closed, those under way, those that wait and those to come", async () => {
    const { held, routes } = heldRoutes();
    const { echo, source, alive } = plain({ routes, maxStreams: 1 });
    const calls = [failure(echo.unary({})), failure(echo.unary({}))];
    await eventually(() => held.length === 1, "the handler");
    source.close();
    calls.push(failure(echo.unary({})));
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: Code.Unavailable });
      expect(error.rawMessage).toContain("the client was closed by this side");
    }
    await eventually(() => alive() === 0, "no connection is left");
  });

  it("wait for the end of the call before, which comes behind its answer, rather than dial", async () => {
    let calls = 0;
    const { echo, ends } = plain({
      answer: (connection) =>
        connection.attach({
          onBytes: () => {
            const id = ++calls;
            connection.write(encodePacket(PacketKind.Message, id, 1, new Uint8Array(0)));
            setTimeout(
              () => connection.write(encodePacket(PacketKind.CloseSend, id, 2, new Uint8Array(0))),
              2,
            );
          },
          onDrain: () => {},
          onEnd: () => {},
        }),
    });
    for (let i = 0; i < 20; i++) await echo.unary({});
    expect({ calls, connections: ends.length }).toEqual({ calls: 20, connections: 1 });
  });

  it("do not wait for ever for a server that answers and does not end the call", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    let ended = false;
    const { echo } = plain({
      maxStreams: 1,
      answer: (connection) =>
        connection.attach({
          onBytes: () => connection.write(encodePacket(PacketKind.Message, 1, 1, new Uint8Array(0))),
          onDrain: () => {},
          onEnd: () => {
            ended = true;
          },
        }),
    });
    expect((await echo.unary({})).payload).toEqual(new Uint8Array(0));
    const next = echo.unary({});
    await vi.advanceTimersByTimeAsync(4_999);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(2);
    // the line is served by a new connection
    expect((await next).payload).toEqual(new Uint8Array(0));
    expect(ended).toBe(true);
  });

  it("lose their connection, and nothing else, to bytes that are not dRPC", async () => {
    const { echo, ends } = plain({
      answer: (connection) =>
        connection.attach({
          onBytes: () => connection.write(new Uint8Array(30).fill(0xff)),
          onDrain: () => {},
          onEnd: () => {},
        }),
    });
    for (let i = 0; i < 3; i++) {
      expect(await failure(echo.unary({}))).toMatchObject({ code: Code.Internal, layer: "drpc" });
    }
    expect(ends).toHaveLength(3);
  });

  it("are right however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 9 }),
        async (sizes) => {
          const { echo, broken, served, source } = plain({ wrap: (one) => recut(one, sizes) });
          for (let i = 0; i < 4; i++) {
            const payload = new Uint8Array(i * 100).fill(i);
            expect((await echo.unary({ payload })).payload).toEqual(payload);
            expect(await collect(echo.bidi(payloads(2)))).toHaveLength(2);
          }
          expect({ broken, connections: served.length }).toEqual({ broken: [], connections: 1 });
          source.close();
        },
      ),
      runs(40),
    );
  });

  it("hold back the handler of a stream that nobody reads", async () => {
    let produced = 0;
    const { echo } = plain({
      routes: (router) =>
        router.rpc(EchoService.method.serverStream, async function* ({ count }) {
          for (let i = 0; i < count; i++) {
            produced++;
            yield { payload: new Uint8Array(10_000) };
          }
        }),
    });
    const answers = echo.serverStream({ count: 1_000 })[Symbol.asyncIterator]();
    await answers.next();
    let before = -1;
    await eventually(() => {
      const isStill = produced === before;
      before = produced;
      return isStill;
    }, "the handler is held back");
    expect(produced).toBeLessThan(100);
    let read = 1;
    while (!(await answers.next()).done) read++;
    expect(read).toBe(1_000);
  });

  it("are not even read while their caller does not read the answers", async () => {
    const [client, server] = createMemoryPair();
    serveStream(connectionStream(server, { pausesWhileFull: true }), createRpcTable(echoRoutes));
    let received = 0;
    client.attach({
      onBytes: (answer) => {
        received += answer.length;
      },
      onDrain: () => {},
      onEnd: () => {},
    });
    onTestFinished(() => client.abort());
    client.pauseReading();
    const count = 200;
    const body = toBinary(
      UnaryRequestSchema,
      create(UnaryRequestSchema, { payload: new Uint8Array(10_000) }),
    );
    for (let id = 1; id <= count; id++) {
      client.write(encodePacket(PacketKind.Invoke, id, 1, bytes("/agentwire.test.v1.EchoService/Unary")));
      client.write(encodePacket(PacketKind.Message, id, 2, body));
      client.write(encodePacket(PacketKind.CloseSend, id, 3, new Uint8Array(0)));
    }
    let before = -1;
    await eventually(() => {
      const isStill = server.bufferedBytes === before && before > 0;
      before = server.bufferedBytes;
      return isStill;
    }, "the server writes no more");
    expect(server.bufferedBytes).toBeLessThan(64 * 1024 + 2 * 10_100);
    client.resumeReading();
    await eventually(() => received > count * 10_000, "all answers");
  });
});
