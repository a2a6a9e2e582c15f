import { createHash } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { metadataKey } from "../../src/rpc/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { eventually } from "../support/control-plane.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { echoServer, quietGoEcho } from "./support/echo-server.js";
import { echoRpc, goFailure, goRefusal, goStreams, payloadB64 } from "./support/go-client.js";

const mebibyte = 1024 * 1024;

/** What digest the peer has to give of an echo of a payload. */
function digestOf(bodyB64: string): Facts {
  const body = Buffer.from(bodyB64, "base64");
  return { size: body.length, sha256: createHash("sha256").update(body).digest("hex") };
}

/** Bytes that show what is missing or out of place. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) + 7) & 255;
  return bytes;
}

describeWithGo("messages between a Go client and our server", () => {
  it.each([0, 1, 4000, 65_536, 300_000, Math.floor(3.9 * mebibyte)])(
    "W7.8 of %i bytes arrive whole, both ways",
    async (size) => {
      const { call } = await quietGoEcho();
      const bodyB64 = payloadB64(pattern(size));
      expect(await call({ bodyB64, digest: true })).toMatchObject(
        size === 0 ? { size: 0 } : digestOf(bodyB64),
      );
    },
  );

  it("W7.9 of exactly 4 MiB are taken, both ways", async () => {
    const sizes: number[] = [];
    const payload = Buffer.alloc(4 * mebibyte - 5);
    const server = echoServer((router) => {
      router.service(EchoService, {
        unary: ({ $unknown }) => {
          sizes.push($unknown?.[0]?.data.length ?? 0);
          return { payload };
        },
      });
    });
    const { call } = await quietGoEcho(server);
    expect(await call({ padding: 4 * mebibyte, digest: true })).toMatchObject({ size: 4 * mebibyte });
    expect(sizes[0]).toBeGreaterThan(4 * mebibyte - 16);
  });

  it("W7.9, S7.9 of one byte more end their stream, not the session", async () => {
    const { call, echo } = await quietGoEcho();
    const failed = await goFailure(call({ padding: 4 * mebibyte + 1 }));
    expect(failed["code"]).toBeUndefined();
    expect(failed["timeout"]).toBeUndefined();
    await eventually(() => echo.protocolErrors.length === 1);
    expect(echo.protocolErrors[0]?.message).toContain("data overflow");
    expect(await call({ bodyB64: payloadB64(pattern(10)), digest: true })).toMatchObject({ size: 12 });
  });

  it("W4.3 of an answer of one byte more fail their call, with a code", async () => {
    const payload = Buffer.alloc(4 * mebibyte - 4);
    const server = echoServer((router) => router.service(EchoService, { unary: () => ({ payload }) }));
    const { call } = await quietGoEcho(server);
    const { text, code } = await goRefusal(call({}));
    expect(code).toBe(String(Code.ResourceExhausted));
    expect(text).toContain("4194305 bytes, over the limit of 4194304 bytes");
  });

  it.each([
    ["one WebSocket message for each byte", { bytewise: true }, 3000],
    ["dRPC frames of one byte", { drpcSplitSize: 1 }, 20_000],
    ["both", { bytewise: true, drpcSplitSize: 1 }, 300],
    ["compression offered", { compression: true }, 300_000],
    ["everything late", { delayMs: 5 }, 200_000],
    ["a larger window", { yamux: { maxWindow: 4 * mebibyte } }, 2 * mebibyte],
  ])("W1.1, W4.2 may be cut anywhere: %s", async (_name, dial, size) => {
    const { call } = await quietGoEcho(undefined, dial);
    const bodyB64 = payloadB64(pattern(size));
    expect(await call({ bodyB64, digest: true })).toMatchObject(digestOf(bodyB64));
  });

  it("W4.6 metadata arrives as it was sent, any text", async () => {
    const seen: Record<string, string>[] = [];
    const headers: Record<string, string>[] = [];
    const server = echoServer((router) => {
      router.service(EchoService, {
        unary: (_request, context) => {
          seen.push(Object.fromEntries(context.values.get(metadataKey)));
          headers.push(Object.fromEntries(context.requestHeader));
          return {};
        },
      });
    });
    const { call } = await quietGoEcho(server);
    const metadata = {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "X-Name": "Żółć 日本 \u{1f680}",
      "": "",
      "line\nbreak": "a\r\nb",
      long: "x".repeat(100_000),
    };
    await call({ metadata });
    expect(seen).toEqual([metadata]);
    expect(headers[0]).toMatchObject({ traceparent: metadata.traceparent, long: metadata.long });
    expect(Object.keys(headers[0] ?? {})).toHaveLength(2);
    await call({});
    expect(seen[1]).toEqual({});
  });

  it("W4.8 a deadline in metadata is kept to, whoever sends it", async () => {
    let leftMs: number | undefined;
    const server = echoServer((router) => {
      router.service(EchoService, {
        unary: (_request, context) => {
          leftMs = context.timeoutMs();
          return new Promise(() => {});
        },
      });
    });
    const { call } = await quietGoEcho(server);
    const { text, code } = await goRefusal(call({ metadata: { "agentwire-timeout-ms": "50" } }));
    expect(code).toBe(String(Code.DeadlineExceeded));
    expect(text).toContain("the caller's deadline of 50 ms has passed");
    expect(leftMs).toBeLessThanOrEqual(50);
  });

  it("W4.7 errors arrive with code and text", async () => {
    const errors: Error[] = [
      new ConnectError("no such thing", Code.NotFound),
      Object.assign(new ConnectError("big"), { drpcCode: 9007199254740993n }),
      new Error("plain\nof two lines ✓"),
      new Error(""),
      new ConnectError("x".repeat(100_000), Code.Internal),
    ];
    const server = echoServer((router) => {
      router.service(EchoService, {
        unary: () => {
          throw errors[calls++];
        },
      });
    });
    let calls = 0;
    const { call } = await quietGoEcho(server);
    expect(await goRefusal(call({}))).toEqual({ text: "no such thing", code: "5" });
    expect(await goRefusal(call({}))).toEqual({ text: "big", code: "9007199254740993" });
    expect(await goRefusal(call({}))).toEqual({ text: "plain\nof two lines ✓", code: undefined });
    expect(await goRefusal(call({}))).toEqual({ text: "", code: undefined });
    expect(await goRefusal(call({}))).toEqual({ text: "x".repeat(100_000), code: "13" });
  });
});

describeWithGo("many calls of a Go client", () => {
  it("2,000, 100 at a time: none is lost", async () => {
    const { peer, session } = await quietGoEcho();
    const result = await peer.do("callMany", {
      handle: session,
      rpc: echoRpc("Unary"),
      bodyB64: payloadB64(pattern(500)),
      count: 2000,
      concurrency: 100,
    });
    expect(result).toMatchObject({ succeeded: 2000, failed: 0, bytes: 2000 * 503 });
  });

  it("W3.2 300 streams at once", async () => {
    const { peer, session, echo, stream } = await quietGoEcho();
    const streams = await Promise.all(Array.from({ length: 300 }, () => stream("Bidi")));
    await eventually(() => echo.session.streamCount === 300, "300 streams on our side");
    expect(await goStreams(peer, session)).toBe(300);
    const isEcho = await Promise.all(
      streams.map(async ({ send, recv }, i) => {
        const bodyB64 = payloadB64(Buffer.from(`stream ${i}`));
        await send({ bodyB64 });
        return (await recv())["bodyB64"] === bodyB64;
      }),
    );
    expect(isEcho).toEqual(Array.from({ length: 300 }, () => true));
    await Promise.all(streams.map(({ closeSend }) => closeSend()));
    const ends = await Promise.all(streams.map(({ recv }) => recv()));
    expect(ends.every(({ eof }) => eof === true)).toBe(true);
  });

  it("W4.5 of every kind", async () => {
    const { stream } = await quietGoEcho();
    const body = (text: string) => ({ bodyB64: payloadB64(Buffer.from(text)) });

    const joined = await stream("ClientStream");
    for (const text of ["a", "b", "c"]) await joined.send(body(text));
    await joined.closeSend();
    expect(await joined.recv()).toMatchObject(body("abc"));

    const repeated = await stream("ServerStream");
    await repeated.send({ bodyB64: payloadB64(Buffer.from("x"), 3) });
    await repeated.closeSend();
    for (let i = 0; i < 3; i++) expect(await repeated.recv()).toMatchObject(body("x"));
    expect(await repeated.recv()).toMatchObject({ eof: true });

    const turns = await stream("Bidi");
    for (const text of ["1", "2", "3"]) {
      await turns.send(body(text));
      expect(await turns.recv()).toMatchObject(body(text));
    }
    await turns.closeSend();
    expect(await turns.recv()).toMatchObject({ eof: true });
  });
});
