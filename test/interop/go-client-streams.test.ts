import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { encodePacket, PacketKind } from "../../src/codec/index.js";
import { PulledStream, type YamuxSession } from "../../src/transport/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { eventually } from "../support/control-plane.js";
import { serve } from "../support/echo.js";
import { describeWithGo, GoPeer } from "../support/go-peer.js";
import { echoServer, quietGoEcho, waitingHandlers } from "./support/echo-server.js";
import { commandMs, echoRpc, goFailure, goRefusal, goStreams, payloadB64 } from "./support/go-client.js";
import { rawStream, unaryAnswer, unaryCall } from "./support/raw-stream.js";

const kibibyte = 1024;

/** A server whose handlers wait, and a Go client of it. */
async function waiting() {
  const { state, routes } = waitingHandlers();
  return { state, ...(await quietGoEcho(echoServer(routes))) };
}

describeWithGo("calls that a Go client gives up", () => {
  it("W7.4 by the end of its context: the handler is cancelled, and only that one", async () => {
    const { state, call, stream } = await waiting();
    const bodyB64 = payloadB64(Buffer.from("still here"));
    const other = await stream("Bidi");
    await other.send({ bodyB64 });
    await other.recv();
    const failed = await goFailure(call({ cancelAfterMs: 30 }));
    expect(failed["error"]).toContain("canceled");
    await eventually(() => state.cancelled === 1, "the handler is cancelled");
    await other.send({ bodyB64 });
    expect(await other.recv()).toMatchObject({ bodyB64 });
    await other.cancel();
    await eventually(() => state.cancelled === 2 && state.cleaned === 1, "the other is cancelled");
  });

  it("W7.4 by its deadline", async () => {
    const { state, call } = await waiting();
    expect(await goFailure(call({ timeoutMs: 40 }))).toMatchObject({ timeout: true });
    await eventually(() => state.cancelled === 1, "the handler is cancelled");
  });

  it.each([["ServerStream"], ["ClientStream"], ["Bidi"]])("W7.4 %s, in the middle", async (method) => {
    const { state, stream } = await waiting();
    const call = await stream(method);
    const bodyB64 = payloadB64(Buffer.from("x"));
    await call.send({ bodyB64 });
    if (method !== "ClientStream") expect(await call.recv()).toMatchObject({ bodyB64 });
    await eventually(() => state.started === 1, "the handler runs");
    await call.cancel();
    await eventually(() => state.cancelled === 1, "the handler is cancelled");
    if (method !== "ClientStream") await eventually(() => state.cleaned === 1, "and cleans up");
  });

  it("W4.5 by a Close packet", async () => {
    const { state, stream, peer } = await waiting();
    const { handle, send } = await stream("Bidi");
    await send({ bodyB64: payloadB64(Buffer.from("x")) });
    await eventually(() => state.started === 1, "the handler runs");
    await peer.do("closeStream", { handle });
    await eventually(() => state.cancelled === 1 && state.cleaned === 1, "the handler is cancelled");
  });

  it("W7.2, W4.9 by half-closing before the reply", async () => {
    const { state, ...go } = await waiting();
    const raw = await rawStream(go);
    await raw.write(unaryCall(1, "x"));
    await eventually(() => state.started === 1, "the handler runs");
    await raw.closeWrite();
    await eventually(() => state.cancelled === 1, "the handler is cancelled");
    expect(await raw.read()).toHaveLength(0);
  });

  it("many at once, while others go on", async () => {
    const { state, routes } = waitingHandlers();
    const server = echoServer((router) => {
      routes(router);
      router.rpc(EchoService.method.clientStream, async () => ({ payload: Buffer.from("fine") }));
    });
    const { peer, session, call } = await quietGoEcho(server);
    const given = Array.from({ length: 50 }, (_, i) => goFailure(call({ cancelAfterMs: 1 + (i % 20) })));
    const rpc = echoRpc("ClientStream");
    const good = await peer.do("callMany", { handle: session, rpc, count: 200, concurrency: 10 });
    expect(good).toMatchObject({ succeeded: 200, failed: 0 });
    await Promise.all(given);
    await eventually(() => state.cancelled === state.started, "all are cancelled");
  });
});

describeWithGo("streams that a Go client reads slowly, or that are long", () => {
  /** A handler that sends for as long as it is wanted to, and a Go client that has read one message. */
  async function flooded() {
    const state = { yielded: 0, isWanted: true };
    const server = echoServer((router) => {
      router.service(EchoService, {
        async *serverStream() {
          while (state.isWanted) {
            state.yielded++;
            yield { payload: Buffer.alloc(8 * kibibyte) };
          }
        },
      });
    });
    const go = await quietGoEcho(server);
    const call = await go.stream("ServerStream");
    await call.send({});
    await call.closeSend();
    await call.recv({ digest: true });
    let before = 0;
    await eventually(async () => {
      before = state.yielded;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return state.yielded === before;
    }, "the handler stops");
    return { state, call, before };
  }

  it("stop our handler at a window and a little, and let it go on", async () => {
    const { state, call, before } = await flooded();
    expect(before * 8 * kibibyte).toBeLessThan(512 * kibibyte);
    for (let i = 0; i < 100; i++) await call.recv({ digest: true });
    await eventually(() => state.yielded > before + 50, "the handler goes on");
    state.isWanted = false;
    let received = 101;
    while ((await call.recv({ digest: true }))["eof"] !== true) received++;
    expect(received).toBe(state.yielded);
  });

  it("W7.4 are gone on both sides when they are cancelled with a full window", async () => {
    const { call } = await flooded();
    await call.cancel();
  });

  it("stop the Go client where our handler does not read", async () => {
    const { state, stream } = await waiting();
    const call = await stream("ClientStream");
    const padding = 32 * kibibyte;
    let sent = 0;
    for (; sent < 64; sent++) {
      const held = await call.send({ padding, timeoutMs: 100 }).catch(() => undefined);
      if (held === undefined) break;
    }
    expect(sent * padding).toBeGreaterThan(128 * kibibyte);
    expect(sent * padding).toBeLessThan(512 * kibibyte);
    expect(state.started).toBe(1);
    await call.cancel();
    await eventually(() => state.cancelled === 1);
  });

  it("end when our handler answers before it has all requests", async () => {
    const server = echoServer((router) => {
      router.service(EchoService, { clientStream: async () => ({ payload: Buffer.from("enough") }) });
    });
    const { stream } = await quietGoEcho(server);
    const call = await stream("ClientStream");
    for (let i = 0; i < 40; i++) await call.send({ padding: 32 * kibibyte });
    expect(await call.recv()).toMatchObject({ bodyB64: payloadB64(Buffer.from("enough")) });
    await call.closeSend();
    expect(await call.recv()).toMatchObject({ eof: true });
  });

  it("16 MiB down, in order", async () => {
    const messages = 256;
    const server = echoServer((router) => {
      router.service(EchoService, {
        async *serverStream() {
          for (let i = 0; i < messages; i++) yield { payload: Buffer.alloc(64 * kibibyte, i) };
        },
      });
    });
    const { stream } = await quietGoEcho(server);
    const call = await stream("ServerStream");
    await call.send({});
    await call.closeSend();
    for (let i = 0; i < messages; i++) {
      const body = Buffer.from(payloadB64(Buffer.alloc(64 * kibibyte, i)), "base64");
      const sha256 = createHash("sha256").update(body).digest("hex");
      expect(await call.recv({ digest: true })).toMatchObject({ sha256 });
    }
    expect(await call.recv()).toMatchObject({ eof: true });
  });

  it("16 MiB up", async () => {
    let received = 0;
    const server = echoServer((router) => {
      router.service(EchoService, {
        async clientStream(requests) {
          for await (const { $unknown } of requests) received += $unknown?.[0]?.data.length ?? 0;
          return {};
        },
      });
    });
    const { stream } = await quietGoEcho(server);
    const call = await stream("ClientStream");
    for (let i = 0; i < 16; i++) await call.send({ padding: 1024 * kibibyte });
    await call.closeSend();
    expect(await call.recv()).toMatchObject({ bodyB64: "" });
    expect(received).toBeGreaterThan(16 * (1024 * kibibyte - 16));
  });
});

describeWithGo("several calls on one stream", () => {
  it("W1.3, S7.2 one after the other, with growing ids", async () => {
    const go = await quietGoEcho();
    const raw = await rawStream(go);
    for (const id of [1, 2, 7]) {
      await raw.write(unaryCall(id, `call ${id}`));
      const answer = unaryAnswer(id, `call ${id}`);
      expect((await raw.read(answer.length)).toString("hex")).toBe(answer.toString("hex"));
    }
    expect(await goStreams(go.peer, go.session)).toBe(1);
    await raw.closeWrite();
    expect(await raw.read()).toHaveLength(0);
  });

  const invoke = encodePacket(PacketKind.Invoke, 1, 1, Buffer.from(echoRpc("Bidi")));
  it.each([
    ["dRPC stream 0", Buffer.from("0300010161", "hex")],
    ["dRPC message 0", Buffer.from("0301000161", "hex")],
    ["an unknown kind", Buffer.from("7f010100", "hex")],
    ["a length without end", Buffer.from(`030101${"ff".repeat(11)}`, "hex")],
    ["a second Invoke", Buffer.concat([invoke, encodePacket(PacketKind.Invoke, 1, 2, Buffer.from("/x"))])],
    ["an id again", Buffer.concat([invoke, encodePacket(PacketKind.Message, 1, 1, Buffer.alloc(0))])],
    ["metadata that is none", encodePacket(PacketKind.InvokeMetadata, 1, 1, Buffer.from("junk"))],
  ])("W7.6, S7.11 %s ends the stream, without an answer, and nothing else", async (_name, bytes) => {
    const go = await quietGoEcho();
    const raw = await rawStream(go);
    await raw.write(bytes);
    await eventually(() => go.echo.protocolErrors.length === 1);
    expect(await goFailure(raw.read())).toMatchObject({ error: expect.stringContaining("reset") });
    expect(await go.call()).toMatchObject({ bodyB64: "" });
  });

  it("of the Go library's own connection, of every kind and end", async () => {
    const { client, protocolErrors } = serve((router) => {
      router.service(EchoService, {
        unary: ({ payload }) => {
          if (payload.length === 0) throw new Error("empty");
          return { payload };
        },
      });
      router.rpc(EchoService.method.bidi, async function* (requests) {
        for await (const { payload } of requests) yield { payload };
      });
    });
    const peer = GoPeer.start();
    const handle = await peer.handle("dialTcp", { addr: await relay(client), plain: true });
    const call = (facts = {}) =>
      peer.do("call", { handle, rpc: echoRpc("Unary"), timeoutMs: commandMs, ...facts });
    const bodyB64 = payloadB64(Buffer.from("x"));
    for (let i = 0; i < 5; i++) {
      expect(await call({ bodyB64, metadata: { call: String(i) } })).toMatchObject({ bodyB64 });
      expect(await goRefusal(call())).toEqual({ text: "empty", code: undefined });
      const stream = await peer.handle("stream", { handle, rpc: echoRpc("Bidi") });
      await peer.do("send", { handle: stream, bodyB64 });
      expect(await peer.do("recv", { handle: stream, timeoutMs: commandMs })).toMatchObject({ bodyB64 });
      if (i % 2 === 0) await peer.do("closeStream", { handle: stream });
      else {
        await peer.do("closeSend", { handle: stream });
        expect(await peer.do("recv", { handle: stream, timeoutMs: commandMs })).toMatchObject({ eof: true });
      }
    }
    expect(client.streamCount).toBe(1);
    await peer.do("close", { handle });
    await eventually(() => client.streamCount === 0);
    expect(protocolErrors).toEqual([]);
  });
});

/** Carries each TCP connection on a stream of a session. @returns where to dial. */
async function relay(session: YamuxSession): Promise<string> {
  const carry = async (socket: Socket) => {
    const stream = new PulledStream(await session.open());
    socket.on("data", (bytes) => void stream.write(bytes));
    socket.on("end", () => stream.closeWrite());
    socket.on("error", () => stream.reset());
    for await (const bytes of stream) socket.write(bytes);
    socket.end();
  };
  const listener = createServer((socket) => void carry(socket).catch(() => socket.destroy()));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  onTestFinished(() => void listener.close());
  return `127.0.0.1:${(listener.address() as AddressInfo).port}`;
}
