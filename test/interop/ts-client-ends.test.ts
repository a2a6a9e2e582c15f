import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { type AgentConnection, isUnimplemented, RpcError } from "../../src/client/index-node.js";
import { eventually } from "../support/control-plane.js";
import { collect, failure } from "../support/echo.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { agentRpc, goStreams, tailnetRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const manifest = agentRpc("GetManifest");
const maps = tailnetRpc("StreamDERPMaps");
const coordinate = tailnetRpc("Coordinate");

/** A Go server that behaves in a way for an rpc, and our client. */
async function start(rpc: string, behaviour: Facts) {
  const server = await GoServer.start();
  await server.script(rpc, behaviour);
  const { connection, session } = await server.dial();
  return {
    server,
    connection,
    session,
    quiet: (cancelled = 0) => server.expectQuiet(connection, session, cancelled),
  };
}

/** The connection is none the worse for a call that failed. */
async function expectServed({ server, connection }: { server: GoServer; connection: AgentConnection }) {
  await server.script("*", null);
  expect(await connection.agent.getServiceBanner({})).toMatchObject({ enabled: false });
}

async function* endless() {
  for (;;) {
    yield {};
    await new Promise(() => {});
  }
}

describeWithGo("calls that our client gives up", () => {
  it("W4.8 at their deadline: DeadlineExceeded, and the Go handler is cancelled", async () => {
    const { server, connection, quiet } = await start(manifest, { stall: true });
    const error = await failure(connection.agent.getManifest({}, { timeoutMs: 60 }));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      code: Code.DeadlineExceeded,
      rpc: manifest,
      rawMessage: `${manifest}: the deadline of 60 ms has passed`,
    });
    expect(await server.outcome(manifest)).toMatchObject({ outcome: "canceled" });
    await quiet(1);
  });

  it("W4.8 streams, at their deadline", async () => {
    const { server, connection, quiet } = await start(maps, { messages: [{}, {}], afterwards: "hold" });
    let received = 0;
    const error = await failure(
      (async () => {
        for await (const _ of connection.tailnet.streamDERPMaps({}, { timeoutMs: 80 })) received++;
      })(),
    );
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(received).toBe(2);
    expect(await server.outcome(maps)).toMatchObject({ outcome: "canceled" });
    await quiet(1);
  });

  it("W4.9 by their signal: only that stream ends", async () => {
    const { server, connection, quiet } = await start(manifest, { stall: true });
    await server.script(agentRpc("UpdateStats"), { delayMs: 50, reply: { reportInterval: "1s" } });
    const abort = new AbortController();
    const given = failure(connection.agent.getManifest({}, { signal: abort.signal }));
    const kept = connection.agent.updateStats({});
    await server.running(manifest);
    abort.abort(new Error("changed my mind"));
    expect(await given).toMatchObject({
      code: Code.Canceled,
      rawMessage: `${manifest}: canceled by its caller: changed my mind`,
    });
    expect(await kept).toMatchObject({ reportInterval: { seconds: 1n } });
    expect(await server.outcome(manifest)).toMatchObject({ outcome: "canceled" });
    await quiet(1);
  });

  it("W4.9 streams, by leaving their loop", async () => {
    const { server, connection, quiet } = await start(maps, { messages: [{}, {}, {}], afterwards: "hold" });
    for await (const _ of connection.tailnet.streamDERPMaps({})) break;
    expect(await server.outcome(maps)).toMatchObject({ outcome: "canceled" });
    await quiet(1);
  });

  it("W4.9 streams, by leaving their loop by an error, or by a signal before it", async () => {
    const { server, connection, quiet } = await start(maps, { messages: [{}], afterwards: "hold" });
    const thrown = (async () => {
      for await (const _ of connection.tailnet.streamDERPMaps({})) throw new Error("mine");
    })();
    await expect(thrown).rejects.toThrow("mine");
    const signal = AbortSignal.abort();
    expect(await failure(collect(connection.tailnet.streamDERPMaps({}, { signal })))).toMatchObject({
      code: Code.Canceled,
    });
    expect(await server.calls(maps)).toHaveLength(1);
    expect(await server.outcome(maps)).toMatchObject({ outcome: "canceled" });
    await quiet(1);
  });

  it("W4.9 streams of requests, by their signal while both sides wait", async () => {
    const { server, connection, quiet } = await start(coordinate, { echo: true });
    const abort = new AbortController();
    const given = failure(collect(connection.tailnet.coordinate(endless(), { signal: abort.signal })));
    await server.running(coordinate);
    await eventually(async () => (await server.calls(coordinate))[0]?.received === 1);
    abort.abort();
    expect((await given).code).toBe(Code.Canceled);
    expect((await server.outcome(coordinate)).outcome).not.toBe("ok");
    await quiet(1);
  });

  it("by leaving a stream whose window is full", async () => {
    const { server, connection, quiet } = await start(maps, { messages: { count: 2000, padding: 8192 } });
    for await (const _ of connection.tailnet.streamDERPMaps({})) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      break;
    }
    expect((await server.outcome(maps)).outcome).not.toBe("ok");
    await quiet(1);
  });
});

describeWithGo("W4.7 errors of a Go server, for our client", () => {
  it.each([
    ["no code", 0, Code.Unknown, 0],
    ["a code of Connect", 5, Code.NotFound, 5],
    ["a code of nobody", 99, Code.Unknown, 99],
    ["a code that no double holds", "9007199254740993", Code.Unknown, 9007199254740993n],
    ["the largest code", "18446744073709551615", Code.Unknown, 18446744073709551615n],
  ])("%s: code and text are kept", async (_name, sent, code, drpcCode) => {
    const text = "unexpected status code 400: Nope.\n\tError: ünd so weiter";
    const { connection, quiet } = await start(manifest, { error: { code: sent, text } });
    const error = await failure(connection.agent.getManifest({}));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code, drpcCode, rawMessage: text, layer: "rpc", rpc: manifest });
    expect(isUnimplemented(error)).toBe(false);
    await quiet();
  });

  it.each([
    ["code 12", { unimplemented: true }, { drpcCode: 12, rawMessage: "Unimplemented" }],
    [
      "the text of an unknown rpc, with code 0",
      { missing: true },
      { drpcCode: 0, rawMessage: `protocol error: unknown rpc: "${manifest}"` },
    ],
  ])("%s is Unimplemented", async (_name, behaviour, facts) => {
    const { connection, quiet } = await start(manifest, behaviour);
    const error = await failure(connection.agent.getManifest({}));
    expect(error).toMatchObject({ code: Code.Unimplemented, ...facts });
    expect(isUnimplemented(error)).toBe(true);
    await quiet();
  });

  it("an rpc that is missing for streams too", async () => {
    const { server, connection, quiet } = await start(maps, { missing: true });
    await server.script(coordinate, { unimplemented: true });
    expect(isUnimplemented(await failure(collect(connection.tailnet.streamDERPMaps({}))))).toBe(true);
    expect(isUnimplemented(await failure(collect(connection.tailnet.coordinate(endless()))))).toBe(true);
    await quiet();
  });
});

describeWithGo("W4.5 ends of a Go server's streams, for our client", () => {
  it.each([["return"], ["close"]])("%s, after some messages, is the end", async (afterwards) => {
    const { connection, quiet } = await start(maps, { messages: { count: 500, padding: 100 }, afterwards });
    expect(await collect(connection.tailnet.streamDERPMaps({}))).toHaveLength(500);
    await quiet();
  });

  it("return, without any message, is the end", async () => {
    const { connection, quiet } = await start(maps, { messages: [], afterwards: "return" });
    expect(await collect(connection.tailnet.streamDERPMaps({}))).toEqual([]);
    await quiet();
  });

  it("an error comes after the messages before it", async () => {
    const error = { code: 5, text: "late" };
    const { connection, quiet } = await start(maps, { messages: { count: 50, padding: 100 }, error });
    let received = 0;
    const failed = await failure(
      (async () => {
        for await (const _ of connection.tailnet.streamDERPMaps({})) received++;
      })(),
    );
    expect(failed).toMatchObject({ code: Code.NotFound, rawMessage: "late" });
    expect(received).toBe(50);
    await quiet();
  });

  it.each([
    ["a stream", maps, { messages: [{}], resetStream: true }],
    ["a unary call", manifest, { resetStream: true }],
  ])("the end of the stream under %s fails that call, and nothing else", async (_name, rpc, behaviour) => {
    const made = await start(rpc, behaviour);
    const { connection } = made;
    const call =
      rpc === maps ? collect(connection.tailnet.streamDERPMaps({})) : connection.agent.getManifest({});
    const error = await failure(call);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: Code.Unavailable, rpc });
    expect(["drpc", "stream"]).toContain(error.layer);
    await eventually(() => connection.session.streamCount === 0, "no streams on our side");
    await eventually(async () => (await goStreams(made.server.peer, made.session)) === 0, "none on Go's");
    await expectServed(made);
  });

  it("a unary call without an answer fails", async () => {
    const made = await start(manifest, { messages: [], afterwards: "return" });
    const error = await failure(made.connection.agent.getManifest({}));
    expect(error).toMatchObject({ code: Code.Internal, layer: "drpc" });
    expect(error.rawMessage).toContain("ended the call without an answer");
    await expectServed(made);
    await made.quiet();
  });

  it("an answer that does not decode fails its call only", async () => {
    const made = await start(manifest, { replyB64: Buffer.from([0xff]).toString("base64") });
    const error = await failure(made.connection.agent.getManifest({}));
    expect(error).toMatchObject({ code: Code.Internal, layer: "drpc" });
    expect(error.rawMessage).toContain("cannot decode coder.agent.v2.Manifest");
    await expectServed(made);
    await made.quiet();
  });

  async function* flood() {
    for (;;) yield { updateSelf: { node: { key: Buffer.alloc(8192) } } };
  }

  it("an error while our requests are held back ends the call on both sides", async () => {
    const { connection, quiet } = await start(coordinate, {
      delayMs: 100,
      error: { code: 0, text: "enough" },
    });
    const error = await failure(collect(connection.tailnet.coordinate(flood())));
    expect(error.rawMessage).toBe("enough");
    await quiet();
  });

  it("the end of the stream while our requests are held back ends the call on both sides", async () => {
    const { connection, quiet } = await start(coordinate, { delayMs: 100, resetStream: true });
    const error = await failure(collect(connection.tailnet.coordinate(flood())));
    expect(error).toMatchObject({ code: Code.Unavailable, rpc: coordinate });
    await quiet(1);
  });
});
