import { createHash } from "node:crypto";
import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import {
  type AgentConnection,
  createAgentConnection,
  DialError,
  RpcError,
} from "../../src/client/index-node.js";
import { CoordinateRequestSchema } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { createYamuxSession, TransportError, wsConnection } from "../../src/transport/index-node.js";
import { eventually, token } from "../support/control-plane.js";
import { collect, failure } from "../support/echo.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { agentRpc, goStreams, rpcPath, tailnetRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const manifest = agentRpc("GetManifest");
const startup = agentRpc("UpdateStartup");
const coordinate = tailnetRpc("Coordinate");
const mebibyte = 1024 * 1024;

/** A Go server, and our client. */
async function start(serve: Facts = {}, dial: Parameters<GoServer["dial"]>[0] = {}) {
  const server = await GoServer.start(serve);
  const { connection, session } = await server.dial(dial);
  return {
    server,
    connection,
    session,
    quiet: (cancelled = 0) => server.expectQuiet(connection, session, cancelled),
  };
}

/** Has a text of so many characters sent and given back. */
async function echoText({ agent }: AgentConnection, length: number): Promise<void> {
  const expandedDirectory = "0123456789abcdef".repeat(Math.ceil(length / 16)).slice(0, length);
  const answer = await agent.updateStartup({ startup: { version: "v1", expandedDirectory } });
  expect(answer.expandedDirectory === expandedDirectory).toBe(true);
}

describeWithGo("messages between our client and a Go server", () => {
  it.each([0, 1, 65_500, 65_536, 300_000, Math.floor(3.9 * mebibyte)])(
    "of %i bytes arrive whole, both ways",
    async (size) => {
      const { connection, quiet } = await start();
      await echoText(connection, size);
      await quiet();
    },
  );

  it("W7.9 of exactly 4 MiB are taken, both ways; one byte more is not begun with", async () => {
    const { server, connection, quiet } = await start();
    await server.script(agentRpc("BatchCreateLogs"), { replyPadding: 4 * mebibyte });
    // two tags with their lengths, of one and four bytes each, go around the text
    const request = (bytes: number) => ({ logs: [{ output: "x".repeat(bytes - 10) }] });
    const { $unknown } = await connection.agent.batchCreateLogs(request(4 * mebibyte));
    expect($unknown?.[0]?.data.length).toBeGreaterThan(4 * mebibyte - 16);
    const [call] = await server.calls(agentRpc("BatchCreateLogs"));
    expect(call?.size).toBe(4 * mebibyte);
    const error = await failure(connection.agent.batchCreateLogs(request(4 * mebibyte + 1)));
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect(error.rawMessage).toContain("coder.agent.v2.BatchCreateLogsRequest is 4194305 bytes");
    expect(await server.calls(agentRpc("BatchCreateLogs"))).toHaveLength(1);
    await quiet();
  });

  it("W4.3 of an answer over 4 MiB fail their call with ResourceExhausted, and no other", async () => {
    const { server, connection, quiet } = await start();
    await server.script(manifest, { replyPadding: 4 * mebibyte + 1 });
    const error = await failure(connection.agent.getManifest({}));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: Code.ResourceExhausted, layer: "drpc", rpc: manifest });
    await echoText(connection, 10);
    await quiet(1);
  });

  it("of a request over Go's limit end their call, and no other", async () => {
    const { connection, session, server } = await start({}, { maxMessageBytes: 8 * mebibyte });
    const error = await failure(
      connection.agent.updateStartup({ startup: { expandedDirectory: "x".repeat(5 * mebibyte) } }),
    );
    expect(error).toBeInstanceOf(RpcError);
    expect(error.rpc).toBe(startup);
    await echoText(connection, 10);
    await eventually(async () => (await goStreams(server.peer, session)) === 0, "no streams are left");
    expect(server.peer.complaints).toEqual([]);
  });

  it.each([
    ["the usual window", {}],
    ["a larger window of ours", { windowBytes: 1024 * 1024 }],
  ])("16 MiB of a stream, down, with %s", async (_name, yamux) => {
    const { server, connection, quiet } = await start({}, { yamux });
    await server.script(tailnetRpc("StreamDERPMaps"), { messages: { count: 256, padding: 65_536 } });
    let bytes = 0;
    for await (const { $unknown } of connection.tailnet.streamDERPMaps({})) {
      bytes += $unknown?.[0]?.data.length ?? 0;
    }
    expect(bytes).toBeGreaterThan(256 * (65_536 - 16));
    await quiet();
  });

  it("16 MiB of a stream, up, and an answer for each", async () => {
    const { server, connection, quiet } = await start();
    async function* requests() {
      for (let i = 1n; i <= 256n; i++)
        yield { updateSelf: { node: { id: i, key: Buffer.alloc(65_536, Number(i)) } } };
    }
    expect(await collect(connection.tailnet.coordinate(requests()))).toHaveLength(256);
    const call = await server.outcome(coordinate);
    // our client may be gone before Go's end of the answers has returned: W7.3
    expect(call).toMatchObject({ outcome: expect.stringMatching(/^(?:ok|canceled)$/), received: 256 });
    const lastBytes = toBinary(
      CoordinateRequestSchema,
      create(CoordinateRequestSchema, { updateSelf: { node: { id: 256n, key: Buffer.alloc(65_536, 0) } } }),
    );
    const sha256 = createHash("sha256").update(lastBytes).digest("hex");
    expect(call.requests?.at(-1)).toMatchObject({ sha256 });
    await quiet();
  });
});

describeWithGo("many calls of our client", () => {
  it("300 at once", async () => {
    const { server, connection, quiet } = await start();
    await server.script(manifest, { delayMs: 20, reply: { agentName: "main" } });
    const answers = await Promise.all(Array.from({ length: 300 }, () => connection.agent.getManifest({})));
    expect(answers.every(({ agentName }) => agentName === "main")).toBe(true);
    expect(await server.calls(manifest)).toHaveLength(300);
    await quiet();
  });

  it("W7.2c a burst of 2,000 loses none to Go's backlog of 256", async () => {
    const { connection, quiet } = await start();
    const texts = await Promise.all(
      Array.from({ length: 2000 }, async (_, i) => {
        const startup = { version: "v1", expandedDirectory: `/projects/${i}` };
        const { expandedDirectory } = await connection.agent.updateStartup({ startup });
        return expandedDirectory === startup.expandedDirectory;
      }),
    );
    expect(texts.filter((isEcho) => isEcho)).toHaveLength(2000);
    await quiet();
  });

  it("W7.2c 300 lose none to a small backlog, with a limit as small", async () => {
    const { connection, quiet } = await start(
      { yamux: { acceptBacklog: 4 } },
      { yamux: { maxUnacknowledgedStreams: 4 } },
    );
    const answers = await Promise.all(Array.from({ length: 300 }, () => connection.agent.getManifest({})));
    expect(answers).toHaveLength(300);
    await quiet();
  });

  it("1,000 one after the other, and streams in between", async () => {
    const { server, connection, session, quiet } = await start();
    await server.script(tailnetRpc("StreamDERPMaps"), { messages: [{}, {}], afterwards: "hold" });
    const map = connection.tailnet.streamDERPMaps({})[Symbol.asyncIterator]();
    await map.next();
    for (let i = 0; i < 1000; i++) await connection.agent.getServiceBanner({});
    await eventually(async () => (await goStreams(server.peer, session)) === 1, "one stream is left");
    await eventually(() => connection.session.streamCount === 1, "on our side too");
    await map.return?.();
    await quiet(1);
  });

  it("W7.1 are joined: one WebSocket message for a call, one for its end", async () => {
    const { server, connection, session } = await start();
    const counted = async () =>
      (await server.peer.do("wsCount", { handle: session }))["received"] as {
        messages: number;
        largest: number;
      };
    const before = await counted();
    for (let i = 0; i < 10; i++) await connection.agent.getServiceBanner({});
    await eventually(async () => (await goStreams(server.peer, session)) === 0);
    expect((await counted()).messages - before.messages).toBeLessThanOrEqual(20);
  });

  it("W2.2 never make a message over 64 KiB, or over what is set", async () => {
    for (const maxMessageBytes of [64 * 1024, 4096]) {
      const { server, connection, session, quiet } = await start({}, { yamux: { maxMessageBytes } });
      await echoText(connection, mebibyte);
      const { received } = await server.peer.do("wsCount", { handle: session });
      expect((received as { largest: number }).largest).toBeLessThanOrEqual(maxMessageBytes);
      await quiet();
    }
  });
});

describeWithGo("odd habits of a Go server", () => {
  it.each([
    ["one WebSocket message for each byte", { faults: { bytewise: true } }, 3000],
    ["dRPC frames of one byte", { faults: { tinyFramesSize: 1 } }, 20_000],
    ["both", { faults: { bytewise: true, tinyFramesSize: 1 } }, 300],
    ["everything late", { faults: { delayMs: 10 } }, 300_000],
    ["compression, where it is asked for", { compression: true }, 300_000],
    ["a larger window", { yamux: { maxWindow: 4 * mebibyte } }, 2 * mebibyte],
  ])("W1.1, W4.2 %s", async (_name, serve, size) => {
    const { connection, quiet } = await start(serve);
    await echoText(connection, size);
    await Promise.all(Array.from({ length: 10 }, () => echoText(connection, 10)));
    const answers = connection.tailnet.coordinate(
      (async function* () {
        for (let i = 0; i < 3; i++) yield {};
      })(),
    );
    expect(await collect(answers)).toHaveLength(3);
    await quiet();
  });

  it("W3.3 no pong: a dial fails, and says why", async () => {
    const server = await GoServer.start({ faults: { noPong: true } });
    const error = await server.dial({ yamux: { pingTimeoutMs: 50 } }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DialError);
    expect(error).toMatchObject({ layer: "dial", code: Code.Unavailable });
    expect((error as DialError).cause).toMatchObject({ code: "ping-timeout" });
    await eventually(() => server.sessions.length === 1, "the server has had it");
  });

  it("W3.3 no pong: the session ends with ping-timeout, and so does every call", async () => {
    const server = await GoServer.start({ faults: { noPong: true } });
    await server.script("*", { stall: true });
    // dialAgent wants a pong before anything else
    const socket = new WebSocket(`${server.url}${rpcPath}?version=2.10`, {
      headers: { "Coder-Session-Token": token },
    });
    await once(socket, "open");
    const session = createYamuxSession(wsConnection(socket), {
      role: "client",
      keepAliveIntervalMs: 30,
      pingTimeoutMs: 60,
    });
    const connection = createAgentConnection<"2.10">(
      session,
      { version: { major: 2, minor: 10 }, role: "" },
      {},
    );
    onTestFinished(() => connection.close());
    const calls = [
      failure(connection.agent.getManifest({})),
      failure(connection.agent.updateStats({})),
      failure(collect(connection.tailnet.streamDERPMaps({}))),
    ];
    const end = await connection.closed;
    expect(end).toBeInstanceOf(TransportError);
    expect(end).toMatchObject({ layer: "session", code: "ping-timeout" });
    for (const error of await Promise.all(calls)) {
      expect(error).toBeInstanceOf(RpcError);
      expect(error).toMatchObject({ code: Code.Unavailable, layer: "session", cause: end });
      expect(error.rawMessage).toContain("did not answer a ping within 60 ms");
    }
    expect(await failure(connection.agent.getManifest({}))).toMatchObject({ cause: end });
    await eventually(async () => (await server.calls()).every(({ outcome }) => outcome === "canceled"));
  });

  it("W3.3 a slow pong is no fault: a session lives on short pings", async () => {
    const { connection, quiet } = await start(
      { faults: { delayMs: 30 } },
      { yamux: { keepAliveIntervalMs: 20, pingTimeoutMs: 5000 } },
    );
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(connection.session.error).toBeUndefined();
    expect(await connection.ping()).toBeGreaterThan(25);
    await quiet();
  });
});
