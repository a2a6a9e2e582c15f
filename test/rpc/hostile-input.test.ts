import { ConnectError, createClient } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { controlByte, Flag, FrameType, writeFrameHeader, writeHeader } from "../../src/codec/index.js";
import { createDrpcTransport, createRpcTable, RpcError, serveStream } from "../../src/rpc/index.js";
import { createMemoryPair, createYamuxSession, TransportError } from "../../src/transport/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { collect, echoRoutes, serve } from "../support/echo.js";
import { runs, timeoutMs } from "../support/scale.js";
import { ScriptedConnection, settle } from "../support/scripted-connection.js";
import { cut } from "../support/vectors.js";

const usualRuns = 300;
const count = runs(usualRuns).numRuns;

const names = ["Unary", "ServerStream", "ClientStream", "Bidi", "Nope"].map(
  (m) => `/agentwire.test.v1.EchoService/${m}`,
);

interface Frame {
  kind: number;
  done: boolean;
  control: boolean;
  nextStream: number;
  step: number;
  body: Buffer;
}

/** dRPC frames, mostly sensible. */
const drpcFrame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 7 }) },
    { weight: 1, arbitrary: fc.nat({ max: 63 }) },
  ),
  done: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  control: fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  nextStream: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -1, max: 2 }) },
  ),
  step: fc.oneof(
    { weight: 12, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: -3, max: 3 }) },
  ),
  body: fc.oneof(
    fc.constantFrom(...names).map((name) => Buffer.from(name)),
    fc.constant(Buffer.from("0a0568656c6c6f", "hex")),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  ),
});

/** Frames whose ids mostly grow as they should. */
function framesOf(frames: readonly Frame[]): Buffer {
  let stream = 1;
  let message = 0;
  return Buffer.concat(
    frames.flatMap(({ kind, done, control, nextStream, step, body }) => {
      stream = Math.max(0, stream + nextStream);
      message = nextStream > 0 ? 1 : Math.max(0, message + step);
      const head = new Uint8Array(16);
      const end = writeFrameHeader(head, 0, controlByte(kind, done, control), stream, message, body.length);
      return [head.subarray(0, end), body];
    }),
  );
}

const conversation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(drpcFrame, { maxLength: 12, size: "max" }).map(framesOf),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
);

/** yamux frames, mostly sensible. */
const yamuxFrame = fc
  .record({
    type: fc.integer({ min: 0, max: 3 }),
    flags: fc.oneof(fc.constantFrom(0, Flag.Syn, Flag.Ack, Flag.Fin, Flag.Rst), fc.nat({ max: 0xffff })),
    streamId: fc.constantFrom(0, 1, 2, 3, 5, 7, 0xffffffff),
    length: fc.oneof(fc.nat({ max: 50 }), fc.constantFrom(0, 262_144, 262_145, 0xffffffff)),
    body: conversation,
  })
  .map(({ type, flags, streamId, length, body }) => {
    const head = new Uint8Array(12);
    writeHeader(head, 0, type, flags, streamId, type === FrameType.Data ? body.length : length);
    return type === FrameType.Data ? Buffer.concat([head, body]) : Buffer.from(head);
  });

const bytesOfASession = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(yamuxFrame, { maxLength: 15, size: "max" }).map((frames) => Buffer.concat(frames)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
);

/** Fails the test when anything is thrown where nobody can catch it. */
function noStrayErrors(): void {
  const stray: unknown[] = [];
  const note = (error: unknown) => stray.push(error);
  process.on("unhandledRejection", note);
  onTestFinished(() => {
    process.off("unhandledRejection", note);
    expect(stray.map((error) => (error as Error).stack)).toEqual([]);
  });
}

describe("bad input in a conversation", () => {
  it("ends that stream at most: the session and other calls go on", {
    timeout: timeoutMs(60_000),
  }, async () => {
    noStrayErrors();
    const { client, server, transport, protocolErrors } = serve();
    const echo = createClient(EchoService, transport);
    await fc.assert(
      fc.asyncProperty(
        conversation,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        async (bytes, sizes) => {
          const stream = await client.open();
          for (const piece of cut(bytes, sizes)) {
            if (!stream.isAlive) break;
            stream.send([piece]);
            if (sizes.length > 3) await settle(1);
          }
          expect((await echo.unary({ payload: Buffer.from("alive") })).payload).toHaveLength(5);
          await settle(2);
          stream.closeWrite();
          stream.reset();
          await settle(2);
          expect([client.error, server.error]).toEqual([undefined, undefined]);
          expect([client.streamCount, server.streamCount]).toEqual([0, 0]);
        },
      ),
      runs(usualRuns),
    );
    // the test would show nothing if everything were refused, or nothing
    expect(protocolErrors.length).toBeGreaterThan(count / 10);
    expect(protocolErrors.length).toBeLessThan((count * 95) / 100);
    for (const error of protocolErrors) expect(error).toBeInstanceOf(RpcError);
  });

  it("of an answer is an error of that call", { timeout: timeoutMs(60_000) }, async () => {
    noStrayErrors();
    const [a, b] = createMemoryPair();
    const client = createYamuxSession(a, { role: "client" });
    const server = createYamuxSession(b, { role: "server" });
    onTestFinished(() => client.close());
    const echo = createClient(EchoService, createDrpcTransport(client));
    await fc.assert(
      fc.asyncProperty(conversation, fc.constantFrom("fin", "reset"), async (bytes, ending) => {
        const calls = Promise.allSettled([
          echo.unary({}),
          collect(echo.serverStream({})),
          echo.clientStream((async function* () {})()),
          collect(echo.bidi((async function* () {})())),
        ]);
        for (let i = 0; i < 4; i++) {
          const stream = await server.accept();
          stream.send([bytes]);
          await settle(1);
          if (ending === "fin") stream.closeWrite();
          else stream.reset();
        }
        for (const call of await calls)
          if (call.status === "rejected") expect(call.reason).toBeInstanceOf(ConnectError);
        await settle(2);
        expect(client.error).toBeUndefined();
        expect(client.streamCount).toBe(0);
      }),
      runs(usualRuns),
    );
  });
});

describe("bad input in a session", () => {
  it.each(["client", "server"] as const)(
    "ends the %s's session at most, with a named reason",
    { timeout: timeoutMs(60_000) },
    async (role) => {
      noStrayErrors();
      const table = createRpcTable(echoRoutes);
      await fc.assert(
        fc.asyncProperty(
          bytesOfASession,
          fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
          async (bytes, sizes) => {
            const connection = new ScriptedConnection();
            const session = createYamuxSession(connection, {
              role,
              onStream: (stream) => serveStream(stream, table),
            });
            const call =
              role === "client"
                ? createClient(EchoService, createDrpcTransport(session))
                    .unary({})
                    .then(
                      () => undefined,
                      (error: unknown) => error,
                    )
                : undefined;
            for (const piece of cut(bytes, sizes)) connection.feed(piece);
            await settle(2);
            if (session.error !== undefined) expect(session.error).toBeInstanceOf(TransportError);
            await session.close();
            const error = await call;
            if (error !== undefined) expect(error).toBeInstanceOf(RpcError);
            expect(session.streamCount).toBe(0);
            expect(connection.closedWith).toBeDefined();
          },
        ),
        runs(usualRuns),
      );
    },
  );
});
