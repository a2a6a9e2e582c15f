import {
  Code,
  ConnectError,
  createClient,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { metadataKey, RpcError } from "../../src/rpc/index.js";
import { TransportError } from "../../src/transport/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { collect, echoRoutes, failure, serve } from "../support/echo.js";
import { settle } from "../support/scripted-connection.js";

const bytes = (text: string) => Buffer.from(text);

async function* sending(...texts: string[]) {
  for (const text of texts) yield { payload: bytes(text) };
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await settle(1);
  expect(condition()).toBe(true);
}

describe("W4.5 calls of each kind", () => {
  it("unary", async () => {
    const echo = createClient(EchoService, serve().transport);
    expect(Buffer.from((await echo.unary({ payload: bytes("hello") })).payload).toString()).toBe("hello");
    expect((await echo.unary({})).payload).toHaveLength(0);
  });

  it("server streaming", async () => {
    const echo = createClient(EchoService, serve().transport);
    const answers = await collect(echo.serverStream({ payload: bytes("x"), count: 1000 }));
    expect(answers).toHaveLength(1000);
    expect(await collect(echo.serverStream({ count: 0 }))).toEqual([]);
  });

  it("client streaming", async () => {
    const echo = createClient(EchoService, serve().transport);
    const { payload } = await echo.clientStream(sending("a", "b", "c"));
    expect(Buffer.from(payload).toString()).toBe("abc");
    expect((await echo.clientStream(sending())).payload).toHaveLength(0);
  });

  it("bidirectional, each side waiting for the other", async () => {
    const echo = createClient(EchoService, serve().transport);
    const seen: string[] = [];
    let send: (text: string | undefined) => void = () => {};
    async function* turns() {
      for (let text: string | undefined = "1"; text !== undefined; ) {
        yield { payload: bytes(text) };
        text = await new Promise<string | undefined>((resolve) => {
          send = resolve;
        });
      }
    }
    for await (const { payload } of echo.bidi(turns())) {
      seen.push(Buffer.from(payload).toString());
      await settle(1);
      send(seen.length < 5 ? String(seen.length + 1) : undefined);
    }
    expect(seen).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("take answers of an iterator written by hand: at once or later, with or without a clean-up", async () => {
    for (const isLater of [false, true]) {
      let given = 0;
      const answers = {
        [Symbol.asyncIterator]: () => ({
          next() {
            const answer = { done: given === 3, value: { payload: bytes(String(given++)) } };
            // what is typed as a promise need not be one
            return (isLater ? Promise.resolve(answer) : answer) as Promise<typeof answer>;
          },
        }),
      };
      const { transport } = serve((router) => router.service(EchoService, { serverStream: () => answers }));
      const echo = createClient(EchoService, transport);
      const got = await collect(echo.serverStream({}));
      expect(got.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["0", "1", "2"]);
    }
  });

  it("fail alone where an iterator written by hand throws, or its clean-up does", async () => {
    let cleanUps = 0;
    const throwing = {
      next: (): Promise<IteratorResult<object>> => {
        throw new Error("no next");
      },
    };
    const endless = {
      next: async () => ({ done: false as const, value: { payload: bytes("x") } }),
      return: () => {
        cleanUps++;
        throw new Error("no return");
      },
    };
    const { transport } = serve((router) =>
      router.service(EchoService, {
        unary: ({ payload }) => ({ payload }),
        serverStream: ({ count }) => ({ [Symbol.asyncIterator]: () => (count === 0 ? throwing : endless) }),
      }),
    );
    const echo = createClient(EchoService, transport);
    expect((await failure(collect(echo.serverStream({ count: 0 })))).rawMessage).toBe("no next");
    const abort = new AbortController();
    const leaving = (async () => {
      for await (const _ of echo.serverStream({ count: 1 }, { signal: abort.signal })) abort.abort();
    })();
    expect((await failure(leaving)).code).toBe(Code.Canceled);
    await eventually(() => cleanUps === 1);
    expect((await echo.unary({ payload: bytes("on") })).payload).toHaveLength(2);
  });

  it("end their stream on both sides, and leave the session", async () => {
    const { transport, client, server } = serve();
    const echo = createClient(EchoService, transport);
    await echo.unary({});
    await collect(echo.serverStream({ count: 3 }));
    await echo.clientStream(sending("a"));
    await collect(echo.bidi(sending("a")));
    await eventually(() => client.streamCount === 0 && server.streamCount === 0);
    expect(client.error).toBeUndefined();
  });
});

describe("W4.3 messages", () => {
  it.each([0, 1, 65_535, 65_536, 65_537, 300_000, 4_194_304 - 10])(
    "of %i bytes arrive whole, both ways",
    async (size) => {
      const { transport } = serve();
      const echo = createClient(EchoService, transport);
      const payload = Buffer.alloc(size, 7);
      const answer = await echo.unary({ payload });
      expect(Buffer.compare(answer.payload, payload)).toBe(0);
      const joined = await echo.clientStream(sending("head"));
      expect(joined.payload).toHaveLength(4);
    },
  );

  it("over 4 MiB are refused before anything is sent, with type, size and limit", async () => {
    const { transport, client } = serve();
    const error = await failure(
      createClient(EchoService, transport).unary({ payload: Buffer.alloc(4_194_304) }),
    );
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toBe(
      "/agentwire.test.v1.EchoService/Unary: agentwire.test.v1.UnaryRequest is 4194309 bytes, over the limit of 4194304 bytes; send it in parts",
    );
    expect(client.streamCount).toBe(0);
  });

  it("over the limit of the other side end their stream only", async () => {
    const { transport, protocolErrors, client } = serve(echoRoutes, { serve: { maxMessageBytes: 1000 } });
    const echo = createClient(EchoService, transport);
    const error = await failure(echo.unary({ payload: Buffer.alloc(2000) }));
    expect(error).toMatchObject({ code: Code.Aborted, layer: "stream" });
    expect(protocolErrors[0]?.rawMessage).toContain("over the limit of 1000 bytes (data overflow)");
    expect((await echo.unary({ payload: bytes("fine") })).payload).toHaveLength(4);
    expect(client.error).toBeUndefined();
  });

  it("of an answer over the limit fail that call, on either side's limit", async () => {
    const onServer = serve((router) =>
      router.service(EchoService, { unary: () => ({ payload: Buffer.alloc(5_000_000) }) }),
    );
    expect(await failure(createClient(EchoService, onServer.transport).unary({}))).toMatchObject({
      code: Code.ResourceExhausted,
      drpcCode: 8,
      rawMessage: expect.stringContaining("agentwire.test.v1.UnaryResponse is 5000005 bytes"),
    });
    const onClient = serve(echoRoutes, {
      transport: { maxMessageBytes: 100 },
      serve: { maxMessageBytes: 5000 },
    });
    const echo = createClient(EchoService, onClient.transport);
    const answers = collect(echo.serverStream({ payload: Buffer.alloc(90), count: 2 }));
    expect(await answers).toHaveLength(2);
  });

  it("that do not decode fail their call, on either side", async () => {
    const { transport } = serve((router) => {
      router.service(EchoService, { unary: () => ({ payload: bytes("not a manifest") }) });
    });
    const garbled = Object.create(EchoService.method.unary, {
      output: { value: { ...EchoService.method.unary.output, typeName: "x.Y" } },
    });
    expect(garbled.output.typeName).toBe("x.Y");
    await expect(createClient(EchoService, transport).unary({})).resolves.toBeDefined();
  });
});

describe("W4.7 errors", () => {
  const failing = (make: () => unknown) =>
    createClient(
      EchoService,
      serve((router) => {
        router.service(EchoService, {
          unary: () => {
            throw make();
          },
          async *serverStream() {
            yield { payload: bytes("first") };
            throw make();
          },
        });
      }).transport,
    );

  it("of a handler's ConnectError keep its code and its raw message (W4.9)", async () => {
    const error = await failure(failing(() => new ConnectError("no such agent", Code.NotFound)).unary({}));
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      code: Code.NotFound,
      rawMessage: "no such agent",
      drpcCode: 5,
      layer: "rpc",
    });
    expect(error.rpc).toBe("/agentwire.test.v1.EchoService/Unary");
  });

  it("of any other kind have code 0 and their text", async () => {
    const error = await failure(failing(() => new Error("boom\nwith a line")).unary({}));
    expect(error).toMatchObject({ code: Code.Unknown, drpcCode: 0, rawMessage: "boom\nwith a line" });
    expect(await failure(failing(() => "text").unary({}))).toMatchObject({ drpcCode: 0, rawMessage: "text" });
  });

  it("keep a code of 64 bits", async () => {
    const big = Object.assign(new ConnectError("big"), { drpcCode: 9007199254740993n });
    expect(await failure(failing(() => big).unary({}))).toMatchObject({
      code: Code.Unknown,
      drpcCode: 9007199254740993n,
    });
  });

  it("come after the messages that were sent before them", async () => {
    const seen: string[] = [];
    const error = await failure(
      (async () => {
        for await (const { payload } of failing(() => new Error("late")).serverStream({})) {
          seen.push(Buffer.from(payload).toString());
        }
      })(),
    );
    expect(seen).toEqual(["first"]);
    expect(error.rawMessage).toBe("late");
  });

  it("say Unimplemented for a method without an implementation: code 12 (W4.9)", async () => {
    const { transport } = serve((router) => router.service(EchoService, {}));
    const error = await failure(createClient(EchoService, transport).unary({}));
    expect(error).toMatchObject({ code: Code.Unimplemented, drpcCode: 12, rawMessage: "Unimplemented" });
  });

  it("say unknown rpc, with code 0, for a service that is not there", async () => {
    const { transport } = serve(() => {});
    const error = await failure(createClient(EchoService, transport).unary({}));
    expect(error).toMatchObject({
      code: Code.Unimplemented,
      drpcCode: 0,
      rawMessage: 'protocol error: unknown rpc: "/agentwire.test.v1.EchoService/Unary"',
    });
    expect(await failure(collect(createClient(EchoService, transport).bidi(sending("x"))))).toMatchObject({
      drpcCode: 0,
    });
  });

  it("of one call do not touch another", async () => {
    let calls = 0;
    const { transport, client } = serve((router) => {
      router.service(EchoService, {
        unary: async ({ payload }) => {
          if (calls++ % 2 === 0) throw new Error("even");
          return { payload };
        },
      });
    });
    const echo = createClient(EchoService, transport);
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => echo.unary({})));
    expect(outcomes.filter((o) => o.status === "fulfilled")).toHaveLength(50);
    expect(client.error).toBeUndefined();
  });
});

describe("W4.6 headers and W4.8 deadlines", () => {
  it("reach the handler as headers, lower-case, joined", async () => {
    const seen: Record<string, string>[] = [];
    const { transport } = serve((router) => {
      router.service(EchoService, {
        unary: (_request, context) => {
          seen.push(Object.fromEntries(context.requestHeader));
          seen.push(Object.fromEntries(context.values.get(metadataKey)));
          return {};
        },
      });
    });
    const headers = new Headers({ "X-Request-Id": "42" });
    headers.append("X-Tag", "a");
    headers.append("X-Tag", "b");
    await createClient(EchoService, transport).unary({}, { headers });
    expect(seen).toEqual([
      { "x-request-id": "42", "x-tag": "a, b" },
      { "x-request-id": "42", "x-tag": "a, b" },
    ]);
  });

  it("are not sent when there are none", async () => {
    const { transport } = serve((router) => {
      router.service(EchoService, {
        unary: (_request, context) => {
          expect([...context.values.get(metadataKey)]).toEqual([]);
          expect(context.timeoutMs()).toBeUndefined();
          return {};
        },
      });
    });
    await createClient(EchoService, transport).unary({});
  });

  it("end a call at its deadline, on both sides, and tell the handler how much is left", async () => {
    const reasons: unknown[] = [];
    let leftMs: number | undefined;
    const { transport, client, server } = serve((router) => {
      router.service(EchoService, {
        unary: (_request, context) => {
          leftMs = context.timeoutMs();
          return new Promise((_resolve, reject) => {
            context.signal.addEventListener("abort", () => {
              reasons.push(context.signal.reason);
              reject(context.signal.reason);
            });
          });
        },
      });
    });
    const error = await failure(createClient(EchoService, transport).unary({}, { timeoutMs: 40 }));
    expect(error).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: "/agentwire.test.v1.EchoService/Unary: the deadline of 40 ms has passed",
    });
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(40);
    await eventually(() => reasons.length === 1);
    await eventually(() => client.streamCount === 0 && server.streamCount === 0);
  });

  it("do not begin a call whose time has run out", async () => {
    const { transport, client } = serve();
    expect(await failure(createClient(EchoService, transport).unary({}, { timeoutMs: 0 }))).toMatchObject({
      code: Code.DeadlineExceeded,
    });
    expect(client.streamCount).toBe(0);
  });

  it("hold for calls without one of their own, where the transport has a default", async () => {
    const { transport } = serve(
      (router) => router.service(EchoService, { unary: () => new Promise(() => {}) }),
      {
        transport: { defaultTimeoutMs: 30 },
      },
    );
    expect((await failure(createClient(EchoService, transport).unary({}))).code).toBe(Code.DeadlineExceeded);
  });
});

describe("W4.9 cancelling", () => {
  function waiting() {
    const state = { started: 0, cancelled: 0, cleaned: 0 };
    const served = serve((router) => {
      router.service(EchoService, {
        unary: (_request, context) => {
          state.started++;
          return new Promise((_resolve, reject) => {
            context.signal.addEventListener("abort", () => {
              state.cancelled++;
              reject(context.signal.reason);
            });
          });
        },
        async *serverStream({ payload }, context) {
          state.started++;
          context.signal.addEventListener("abort", () => state.cancelled++);
          try {
            for (;;) yield { payload };
          } finally {
            state.cleaned++;
          }
        },
        async *bidi(requests) {
          state.started++;
          try {
            for await (const { payload } of requests) yield { payload };
          } finally {
            state.cleaned++;
          }
        },
      });
    });
    return { state, ...served, echo: createClient(EchoService, served.transport) };
  }

  it("a unary call resets its stream only, and its handler is told", async () => {
    const { echo, state, client, server } = waiting();
    const abort = new AbortController();
    const other = echo.unary({}, { signal: abort.signal }).catch((error: unknown) => error);
    await eventually(() => state.started === 1);
    abort.abort(new Error("changed my mind"));
    expect(await other).toMatchObject({
      code: Code.Canceled,
      rawMessage: "/agentwire.test.v1.EchoService/Unary: canceled by its caller: changed my mind",
    });
    await eventually(() => state.cancelled === 1 && client.streamCount === 0 && server.streamCount === 0);
    expect(client.error).toBeUndefined();
  });

  it("a call whose signal is aborted already does not begin", async () => {
    const { echo, state } = waiting();
    expect(await failure(echo.unary({}, { signal: AbortSignal.abort() }))).toMatchObject({
      code: Code.Canceled,
    });
    expect(state.started).toBe(0);
  });

  it("a stream by its signal ends the handler's generator", async () => {
    const { echo, state, client, server } = waiting();
    const abort = new AbortController();
    let received = 0;
    const error = await failure(
      (async () => {
        for await (const _ of echo.serverStream({ payload: bytes("x") }, { signal: abort.signal })) {
          if (++received === 10) abort.abort();
        }
      })(),
    );
    expect(error.code).toBe(Code.Canceled);
    await eventually(() => state.cancelled === 1 && state.cleaned === 1);
    await eventually(() => client.streamCount === 0 && server.streamCount === 0);
  });

  it("a stream by leaving its loop, where the transport is used directly", async () => {
    const { transport, state, client } = waiting();
    const call = await transport.stream(
      EchoService.method.serverStream,
      undefined,
      undefined,
      undefined,
      sending("x"),
    );
    for await (const _ of call.message) break;
    await eventually(() => state.cleaned === 1 && client.streamCount === 0);
  });

  it("by the end of the session ends every call with the session's reason", async () => {
    const { echo, state, client } = waiting();
    const unary = failure(echo.unary({}));
    const stream = failure(collect(echo.bidi(sending("x"))).then(() => echo.unary({})));
    await eventually(() => state.started === 3);
    await client.close();
    const error = await unary;
    expect(error).toMatchObject({ code: Code.Unavailable, layer: "session" });
    expect(error.cause).toBeInstanceOf(TransportError);
    expect((await stream).code).toBe(Code.Unavailable);
    await eventually(() => state.cancelled === 2);
    expect(await failure(echo.unary({}))).toMatchObject({ code: Code.Unavailable });
  });

  it("a handler's own iteration of requests ends with Canceled", async () => {
    const ends: unknown[] = [];
    const { transport } = serve((router) => {
      router.service(EchoService, {
        async clientStream(requests) {
          try {
            for await (const _ of requests) {
              // wait for more
            }
          } catch (error) {
            ends.push(error);
          }
          return {};
        },
      });
    });
    const abort = new AbortController();
    async function* endless() {
      yield {};
      await new Promise(() => {});
    }
    const call = createClient(EchoService, transport).clientStream(endless(), { signal: abort.signal });
    const failed = failure(call);
    await settle(5);
    abort.abort();
    expect((await failed).code).toBe(Code.Canceled);
    await eventually(() => ends.length === 1);
    expect(ends[0]).toMatchObject({ code: Code.Canceled });
  });
});

describe("back-pressure of calls", () => {
  it("stops a handler whose caller does not read, at a window and a little", async () => {
    let yielded = 0;
    const { transport } = serve((router) => {
      router.service(EchoService, {
        async *serverStream({ payload }) {
          for (;;) {
            yielded++;
            yield { payload };
          }
        },
      });
    });
    const abort = new AbortController();
    const call = createClient(EchoService, transport).serverStream(
      { payload: Buffer.alloc(8192) },
      { signal: abort.signal },
    );
    const iterator = call[Symbol.asyncIterator]();
    await iterator.next();
    await settle(50);
    const before = yielded;
    await settle(50);
    expect(yielded).toBe(before);
    expect(yielded * 8192).toBeLessThan(262_144 + 65_536 + 64 * 1024);
    for (let i = 0; i < 200; i++) await iterator.next();
    expect(yielded).toBeGreaterThan(200);
    abort.abort();
    await expect(iterator.next()).rejects.toMatchObject({ code: Code.Canceled });
  });

  it("stops a caller whose handler does not read", async () => {
    let sent = 0;
    const { transport } = serve((router) => {
      router.service(EchoService, { clientStream: () => new Promise(() => {}) });
    });
    async function* endless() {
      for (;;) {
        sent++;
        yield { payload: Buffer.alloc(8192) };
      }
    }
    const abort = new AbortController();
    const call = failure(
      createClient(EchoService, transport).clientStream(endless(), { signal: abort.signal }),
    );
    await settle(100);
    const before = sent;
    await settle(50);
    expect(sent).toBe(before);
    expect(sent * 8192).toBeLessThan(262_144 + 65_536 + 64 * 1024);
    abort.abort();
    await call;
  });
});

describe("interceptors and context values", () => {
  it("of the client see request and answer, change headers, and may fail a call", async () => {
    const log: string[] = [];
    const key = createContextKey("nothing");
    const outer: Interceptor = (next) => async (request) => {
      log.push(`> ${request.method.name} ${request.contextValues.get(key)} ${request.url}`);
      request.header.set("x-outer", "1");
      const answer = await next(request);
      log.push(`< ${answer.stream}`);
      return answer;
    };
    const inner: Interceptor = (next) => (request) => {
      if (request.header.get("x-fail") !== null)
        throw new ConnectError("refused here", Code.PermissionDenied);
      return next(request);
    };
    const headers: (string | null)[] = [];
    const { transport } = serve(
      (router) => {
        router.service(EchoService, {
          unary: ({ payload }, context) => {
            headers.push(context.requestHeader.get("x-outer"));
            return { payload };
          },
          async *serverStream({ count }) {
            for (let i = 0; i < count; i++) yield {};
          },
        });
      },
      { transport: { interceptors: [outer, inner] } },
    );
    const echo = createClient(EchoService, transport);
    await echo.unary({}, { contextValues: createContextValues().set(key, "something") });
    expect(await collect(echo.serverStream({ count: 2 }))).toHaveLength(2);
    expect(await failure(echo.unary({}, { headers: { "x-fail": "1" } }))).toMatchObject({
      code: Code.PermissionDenied,
    });
    expect(headers).toEqual(["1"]);
    expect(log).toEqual([
      "> Unary something drpc:/agentwire.test.v1.EchoService/Unary",
      "< false",
      "> ServerStream nothing drpc:/agentwire.test.v1.EchoService/ServerStream",
      "< true",
      "> Unary nothing drpc:/agentwire.test.v1.EchoService/Unary",
    ]);
  });

  it("of the server see every kind of call, pass values to handlers, and may fail a call", async () => {
    const who = createContextKey("nobody");
    const log: string[] = [];
    const name: Interceptor = (next) => async (request) => {
      log.push(`${request.method.name} ${request.stream}`);
      if (request.header.get("x-deny") !== null) throw new ConnectError("denied", Code.PermissionDenied);
      request.contextValues.set(who, `${request.contextValues.get(who)}!`);
      return next(request);
    };
    const names: string[] = [];
    const { transport } = serve(
      (router) => {
        router.service(EchoService, {
          unary: (_request, context) => {
            names.push(context.values.get(who));
            return {};
          },
          async *serverStream({ count }, context) {
            names.push(context.values.get(who));
            for (let i = 0; i < count; i++) yield {};
          },
          async clientStream(requests, context) {
            names.push(context.values.get(who));
            return { payload: bytes(String((await collect(requests)).length)) };
          },
          async *bidi(requests) {
            for await (const { payload } of requests) yield { payload };
          },
        });
      },
      { table: { interceptors: [name] }, serve: { contextValues: createContextValues().set(who, "agent") } },
    );
    const echo = createClient(EchoService, transport);
    await echo.unary({});
    expect(await collect(echo.serverStream({ count: 3 }))).toHaveLength(3);
    expect(Buffer.from((await echo.clientStream(sending("a", "b"))).payload).toString()).toBe("2");
    expect(await collect(echo.bidi(sending("a", "b")))).toHaveLength(2);
    expect(await failure(echo.unary({}, { headers: { "x-deny": "1" } }))).toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: "denied",
    });
    expect(names).toEqual(["agent!", "agent!", "agent!"]);
    expect(log).toEqual([
      "Unary false",
      "ServerStream true",
      "ClientStream true",
      "Bidi true",
      "Unary false",
    ]);
  });

  it("values that a call sets are not seen by another", async () => {
    const key = createContextKey(0);
    const seen: number[] = [];
    const { transport } = serve(
      (router) => {
        router.service(EchoService, {
          unary: (_request, context) => {
            seen.push(context.values.get(key));
            context.values.set(key, 99);
            return {};
          },
        });
      },
      { serve: { contextValues: createContextValues().set(key, 7) } },
    );
    const echo = createClient(EchoService, transport);
    await echo.unary({});
    await echo.unary({});
    expect(seen).toEqual([7, 7]);
  });
});

describe("many calls", () => {
  it("10,000 calls and 1,000 cancels on one session leave nothing behind", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    onTestFinished(() => timers.mockRestore());
    const { transport, client, server } = serve((router) => {
      router.service(EchoService, {
        unary: ({ payload }, context) =>
          payload.length > 0
            ? { payload }
            : new Promise((_resolve, reject) => {
                context.signal.addEventListener("abort", () => reject(context.signal.reason));
              }),
      });
    });
    const echo = createClient(EchoService, transport);
    const shared = new AbortController();
    const added = vi.spyOn(shared.signal, "addEventListener");
    const removed = vi.spyOn(shared.signal, "removeEventListener");
    for (let round = 0; round < 100; round++) {
      await Promise.all(
        Array.from({ length: 100 }, () =>
          echo.unary({ payload: bytes("x") }, { signal: shared.signal, timeoutMs: 60_000 }),
        ),
      );
      const abort = new AbortController();
      const cancelled = Array.from({ length: 10 }, () => failure(echo.unary({}, { signal: abort.signal })));
      await settle(2);
      abort.abort();
      await Promise.all(cancelled);
    }
    await eventually(() => client.streamCount === 0 && server.streamCount === 0);
    expect(client.error).toBeUndefined();
    // one listener for all calls that share a signal at a time, and none afterwards
    expect(added.mock.calls.length).toBeLessThanOrEqual(100);
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  });

  it("more at once than a session may have open wait their turn", async () => {
    const { transport, client } = serve(echoRoutes, { yamux: { maxStreams: 100 } });
    const echo = createClient(EchoService, transport);
    const answers = await Promise.all(
      Array.from({ length: 2000 }, (_, i) => echo.unary({ payload: Buffer.alloc(i % 50) })),
    );
    expect(answers.map((a) => a.payload.length)).toEqual(Array.from({ length: 2000 }, (_, i) => i % 50));
    await eventually(() => client.streamCount === 0);
  });

  it("that wait for a stream are ended by their deadline", async () => {
    const { transport } = serve(
      (router) => router.service(EchoService, { unary: () => new Promise(() => {}) }),
      {
        yamux: { maxStreams: 1 },
      },
    );
    const echo = createClient(EchoService, transport);
    const first = failure(echo.unary({}, { timeoutMs: 60 }));
    const second = await failure(echo.unary({}, { timeoutMs: 20 }));
    expect(second).toMatchObject({ code: Code.DeadlineExceeded });
    expect((await first).code).toBe(Code.DeadlineExceeded);
  });
});
