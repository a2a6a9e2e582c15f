import { expect, it, onTestFinished } from "vitest";
import { Flag, FrameType, headerBytes, readHeader, writeHeader } from "../../src/codec/index.js";
import { eventually } from "../support/control-plane.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { type EchoServer, echoServer } from "./support/echo-server.js";
import { commandMs, echoRpc, goDial, goFailure, rpcPath } from "./support/go-client.js";

const mebibyte = 1024 * 1024;

/** A server of ours, and a bare WebSocket of the Go library to it. */
async function bareWebSocket(options?: Parameters<typeof echoServer>[1]) {
  const peer = GoPeer.start();
  const echo = await echoServer(undefined, options);
  const handle = await peer.handle("rawWs", { url: echo.url + rpcPath });
  const vanish = () => peer.do("close", { handle });
  // it would not answer our close frame, as it does not read
  onTestFinished(async () => void (await vanish()));
  await eventually(() => echo.sessions.length === 1, "the session is known");
  return {
    peer,
    echo,
    write: (bytes: Uint8Array, facts: Facts = {}) =>
      peer.do("wsWrite", { handle, dataB64: Buffer.from(bytes).toString("base64"), ...facts }),
    read: () => peer.do("wsRead", { handle, timeoutMs: commandMs }),
    ping: () => peer.do("wsPing", { handle, timeoutMs: commandMs }),
    vanish,
    /** Reads messages until the close frame. */
    async closeFrame() {
      for (;;) {
        const read = await peer.do("wsRead", { handle, timeoutMs: commandMs });
        if ("closeCode" in read) return { code: read["closeCode"], reason: read["reason"] };
      }
    },
  };
}

function frame(type: number, flags: number, streamId: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  writeHeader(bytes, 0, type, flags, streamId, length);
  return bytes;
}

const ping = (value: number) => frame(FrameType.Ping, Flag.Syn, 0, value);

/** The yamux header in a message that was read. */
function headerIn({ dataB64 }: Facts) {
  return readHeader(Buffer.from(String(dataB64), "base64"), 0);
}

const pong = (value: number) => ({ type: FrameType.Ping, flags: Flag.Ack, streamId: 0, length: value });

/** A new client is served as if nothing had happened. */
async function expectServed(peer: GoPeer, echo: EchoServer): Promise<void> {
  const handle = await goDial(peer, echo);
  expect(await peer.do("call", { handle, rpc: echoRpc("Unary"), timeoutMs: commandMs })).toMatchObject({
    bodyB64: "",
  });
}

describeWithGo("what a bare WebSocket of the Go library may do", () => {
  it("W1.1, S1.29 send a frame in many messages, and many frames in one", async () => {
    const { write, read } = await bareWebSocket();
    for (const byte of ping(7)) await write(Buffer.from([byte]));
    expect(headerIn(await read())).toMatchObject(pong(7));
    await write(Buffer.concat([ping(8), ping(9)]));
    const both = Buffer.from(String((await read())["dataB64"]), "base64");
    expect(readHeader(both, 0)).toMatchObject(pong(8));
    if (both.length > headerBytes) expect(readHeader(both, headerBytes)).toMatchObject(pong(9));
    else expect(headerIn(await read())).toMatchObject(pong(9));
  });

  it("S1.29 send messages in fragments, and empty ones", async () => {
    const { write, read } = await bareWebSocket();
    await write(Buffer.alloc(0));
    await write(ping(1), { fragments: 5 });
    expect(headerIn(await read())).toMatchObject(pong(1));
    await write(Buffer.alloc(0), { fragments: 3 });
    await write(ping(2).subarray(0, 5));
    await write(Buffer.alloc(0));
    await write(ping(2).subarray(5));
    expect(headerIn(await read())).toMatchObject(pong(2));
  });

  it("W2.2, S1.28 send a message of 6 MiB", async () => {
    const { write, read } = await bareWebSocket();
    // for a stream that is not there: taken and dropped
    const data = Buffer.concat([
      frame(FrameType.Data, 0, 99, 6 * mebibyte),
      Buffer.alloc(6 * mebibyte),
      ping(3),
    ]);
    await write(data);
    expect(headerIn(await read())).toMatchObject(pong(3));
  });

  it("W2.3 ask for a sign of life with a WebSocket ping", async () => {
    const { ping: webSocketPing, echo } = await bareWebSocket();
    for (let i = 0; i < 3; i++) await webSocketPing();
    expect(echo.session.error).toBeUndefined();
  });
});

describeWithGo("what a bare WebSocket of the Go library may not do", () => {
  it("S1.27 send text: closed with 1003 and the reason of the reference server", async () => {
    const { peer, echo, write, closeFrame } = await bareWebSocket();
    await write(ping(1), { type: "text" });
    expect(await closeFrame()).toEqual({
      code: 1003,
      reason: "unexpected frame type read (expected MessageBinary): MessageText",
    });
    expect(await echo.session.closed).toMatchObject({ layer: "connection", code: "connection-misused" });
    await expectServed(peer, echo);
  });

  it.each([
    ["junk", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["zeros, and a version that is none", Buffer.concat([Buffer.alloc(headerBytes), Buffer.alloc(12, 1)])],
    ["a type that is none", Buffer.from([0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ["a stream opened twice", Buffer.concat([frame(1, Flag.Syn, 1, 0), frame(1, Flag.Syn, 1, 0)])],
    ["more than the window", frame(FrameType.Data, Flag.Syn, 1, 262_145)],
  ])("S1.32, W3.5 send %s: its session ends, others and new ones do not", async (_name, bytes) => {
    const { peer, echo, write, closeFrame } = await bareWebSocket();
    const other = await goDial(peer, echo);
    await write(bytes);
    // 1000 is what the reference server sends, 1002 what is wrong
    expect([1000, 1002]).toContain((await closeFrame()).code);
    await eventually(() => echo.ends.length === 1, "the session has ended");
    expect(echo.ends[0]).toMatchObject({ layer: "session", code: "protocol-error" });
    await peer.do("call", { handle: other, rpc: echoRpc("Unary"), timeoutMs: commandMs });
    await expectServed(peer, echo);
  });

  it("W3.4 say go away with an error: the session ends", async () => {
    const { peer, echo, write, closeFrame } = await bareWebSocket();
    await write(frame(FrameType.GoAway, 0, 0, 1));
    expect((await closeFrame()).code).toBe(1000);
    expect(await echo.session.closed).toMatchObject({ layer: "session", code: "peer-protocol-error" });
    await expectServed(peer, echo);
  });

  it("W2.2 send a message over our limit: the session ends", async () => {
    const { peer, echo, write, closeFrame } = await bareWebSocket({ maxWebSocketMessageBytes: 100_000 });
    await write(Buffer.alloc(100_001)).catch(() => {});
    expect((await closeFrame()).code).toBe(1009);
    expect(await echo.session.closed).toMatchObject({ layer: "connection", code: "connection-misused" });
    await expectServed(peer, echo);
  });

  it("W2.2 do so and not read on: the session ends all the same", async () => {
    const { echo, write, read } = await bareWebSocket({ maxWebSocketMessageBytes: 100_000 });
    await write(ping(1));
    await read();
    await write(Buffer.alloc(100_001)).catch(() => {});
    await eventually(() => echo.ends.length === 1, "the session has ended", 8000);
    expect(echo.ends[0]).toMatchObject({ layer: "connection", code: "connection-misused" });
  });

  it("W3.3 let our pings go unanswered: the session ends", async () => {
    const { peer, echo } = await bareWebSocket({ yamux: { keepAliveIntervalMs: 20, pingTimeoutMs: 50 } });
    expect(await echo.session.closed).toMatchObject({ layer: "session", code: "ping-timeout" });
    await expectServed(peer, echo);
  });

  it("W2.4 vanish in the middle of a frame: the session ends", async () => {
    const { echo, write, read, vanish } = await bareWebSocket();
    await write(Buffer.concat([ping(1), frame(FrameType.Data, Flag.Syn, 1, 100), Buffer.alloc(50)]));
    await read();
    await vanish();
    expect(await echo.session.closed).toMatchObject({ layer: "connection", code: "connection-lost" });
    expect(echo.session.streamCount).toBe(0);
  });

  it("W3.3 let our pings go unanswered, though it does all else: the session ends", async () => {
    const peer = GoPeer.start();
    const echo = await echoServer(undefined, { yamux: { keepAliveIntervalMs: 20, pingTimeoutMs: 50 } });
    const handle = await goDial(peer, echo, { noPong: true });
    expect(await peer.do("closed", { handle, timeoutMs: commandMs })).toMatchObject({ closed: true });
    expect(echo.ends[0]).toMatchObject({ code: "ping-timeout" });
    expect(await goFailure(peer.do("call", { handle, rpc: echoRpc("Unary") }))).toMatchObject({
      error: expect.stringMatching(/shutdown|closed/),
    });
  });
});
