import { expect, it } from "vitest";
import { eventually } from "../support/control-plane.js";
import { echoRoutes } from "../support/echo.js";
import { describeWithGo } from "../support/go-peer.js";
import { echoServer, quietGoEcho } from "./support/echo-server.js";
import { goFailure, payloadB64 } from "./support/go-client.js";
import { rawStream, unaryAnswer, unaryCall } from "./support/raw-stream.js";

describeWithGo("the session between a Go client and our server", () => {
  it("W3.3 answers pings both ways, also while calls run", async () => {
    const { peer, session, echo, stream } = await quietGoEcho();
    const call = await stream("Bidi");
    for (let i = 0; i < 5; i++) {
      expect(Number((await peer.do("ping", { handle: session }))["rttUs"])).toBeGreaterThan(0);
      expect(await echo.session.ping()).toBeGreaterThan(0);
      await call.send({});
      await call.recv();
    }
    await call.closeSend();
  });

  it("W3.4 after our go away: what runs goes on, nothing new begins", async () => {
    const { peer, session, echo, stream, call } = await quietGoEcho();
    const bodyB64 = payloadB64(Buffer.from("x"));
    const open = await stream("Bidi");
    await open.send({});
    await open.recv();
    echo.session.goAway();
    await peer.do("ping", { handle: session });
    expect(await goFailure(call())).toMatchObject({ error: expect.stringContaining("not accepting") });
    await open.send({ bodyB64 });
    expect(await open.recv()).toMatchObject({ bodyB64 });
    await open.closeSend();
    expect(await open.recv()).toMatchObject({ eof: true });
  });

  it("W7.11 after the Go client's go away: it may still call, and we do not open streams", async () => {
    const { peer, session, echo, call } = await quietGoEcho();
    await peer.do("goAway", { handle: session });
    await eventually(() => !echo.session.isAccepting, "the go away is known");
    expect(await call({ bodyB64: payloadB64(Buffer.from("x")) })).toMatchObject({
      bodyB64: payloadB64(Buffer.from("x")),
    });
    expect(() => echo.session.tryOpen()).toThrowError(
      expect.objectContaining({ code: "not-accepting", layer: "session" }),
    );
  });

  it("W3.3 is kept by pings, from the Go side", async () => {
    const { peer, session } = await quietGoEcho(echoServer(echoRoutes), {
      yamux: { keepAliveMs: 20, writeTimeoutMs: 5000 },
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await peer.do("closed", { handle: session, timeoutMs: 1 })).toMatchObject({ closed: false });
  });

  it("W4.9 resets a stream that its caller does not end after the answer", async () => {
    const go = await quietGoEcho(echoServer(echoRoutes, { yamux: { streamCloseTimeoutMs: 100 } }));
    const raw = await rawStream(go);
    await raw.write(unaryCall(1, "x"));
    const answer = unaryAnswer(1, "x");
    expect(await raw.read(answer.length)).toEqual(answer);
    expect(await goFailure(raw.read())).toMatchObject({ error: expect.stringContaining("reset") });
    expect(await go.call()).toMatchObject({ bodyB64: "" });
  });

  it("W4.9 has so many streams at most: one more is reset, those there are go on", async () => {
    const go = await quietGoEcho(echoServer(echoRoutes, { yamux: { maxStreams: 5 } }));
    const bodyB64 = payloadB64(Buffer.from("x"));
    const open = await Promise.all(Array.from({ length: 5 }, () => go.stream("Bidi")));
    for (const { send, recv } of open) {
      await send({ bodyB64 });
      await recv();
    }
    expect((await goFailure(go.call()))["timeout"]).toBeUndefined();
    for (const { send, recv, closeSend } of open) {
      await send({ bodyB64 });
      expect(await recv()).toMatchObject({ bodyB64 });
      await closeSend();
      expect(await recv()).toMatchObject({ eof: true });
    }
    await eventually(() => go.echo.session.streamCount === 0, "there is room again");
    expect(await go.call({ bodyB64 })).toMatchObject({ bodyB64 });
  });

  it("W3.2 may have larger windows on our side", async () => {
    const go = await quietGoEcho(echoServer(echoRoutes, { yamux: { windowBytes: 1024 * 1024 } }));
    const bodyB64 = payloadB64(Buffer.alloc(3 * 1024 * 1024, 7));
    expect(await go.call({ bodyB64, digest: true })).toMatchObject({ size: 3 * 1024 * 1024 + 5 });
  });
});
