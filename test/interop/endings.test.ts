import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { type AgentConnection, RpcError } from "../../src/client/index-node.js";
import { CloseCode, TransportError } from "../../src/transport/index.js";
import { controlPlane, eventually } from "../support/control-plane.js";
import { collect, failure } from "../support/echo.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { echoServer, goEcho, waitingHandlers } from "./support/echo-server.js";
import { agentRpc, commandMs, goDial, goFailure, payloadB64, tailnetRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const manifest = agentRpc("GetManifest");
const maps = tailnetRpc("StreamDERPMaps");
const coordinate = tailnetRpc("Coordinate");

/** What the Go side may do to a session, and how that ends it on ours. */
const ends: [name: string, op: string, facts: Facts, end: Facts][] = [
  ["WebSocket close 1000", "wsClose", { code: 1000 }, { code: "closed-by-peer", closeCode: 1000 }],
  ["WebSocket close 1001", "wsClose", { code: 1001 }, { code: "closed-by-peer", closeCode: 1001 }],
  [
    "WebSocket close 1011",
    "wsClose",
    { code: 1011, reason: "initialize resource monitoring: no" },
    { code: "connection-lost", closeCode: 1011, message: expect.stringContaining("resource monitoring: no") },
  ],
  ["WebSocket close 4321", "wsClose", { code: 4321 }, { code: "connection-lost", closeCode: 4321 }],
  ["a TCP reset", "tcpAbort", {}, { code: "connection-lost", closeCode: undefined }],
  ["the end of its yamux session, without go away", "close", {}, { code: "closed-by-peer", closeCode: 1000 }],
];

/** A Go client whose calls of each kind wait in handlers of ours. */
async function callsUnderWay() {
  const { state, routes } = waitingHandlers();
  const go = await goEcho(echoServer(routes));
  const pending = [goFailure(go.call()), goFailure(go.call())];
  for (const method of ["ServerStream", "ClientStream", "Bidi"]) {
    const { send, recv } = await go.stream(method);
    await send({});
    if (method !== "ClientStream") await recv();
    pending.push(goFailure(recv()));
  }
  await eventually(() => state.started === pending.length, "all handlers run");
  return { state, ...go, pending: Promise.all(pending) };
}

describeWithGo("how the connection of a Go client ends, for our server", () => {
  it.each(ends)("W2.4 by %s: known at once, and handlers are cancelled", async (_name, op, facts, end) => {
    const { state, echo, peer, session, pending } = await callsUnderWay();
    await peer.do(op, { handle: session, ...facts });
    const closed = await echo.session.closed;
    expect(closed).toBeInstanceOf(TransportError);
    expect(closed).toMatchObject({ layer: "connection", ...end });
    await eventually(() => state.cancelled === state.started && state.cleaned === 2, "all are cancelled");
    expect(echo.session.streamCount).toBe(0);
    expect(echo.ends).toEqual([closed]);
    for (const failed of await pending) expect(failed["timeout"]).toBeUndefined();
  });

  it.each(ends)("W2.4 by %s, with nothing under way, and again", async (_name, op, facts, end) => {
    const { echo, peer, session, call } = await goEcho();
    await call();
    await peer.do(op, { handle: session, ...facts });
    expect(await echo.session.closed).toMatchObject(end);
    const again = await peer.handle("dial", { url: `${echo.url}/api/v2/workspaceagents/me/rpc` });
    await eventually(() => echo.sessions.length === 2);
    await peer.do("close", { handle: again });
    expect(await echo.session.closed).toMatchObject({ code: "closed-by-peer" });
  });
});

describeWithGo("how our server ends the connection of a Go client", () => {
  it("S1.37 with 1000 and no reason: a clean end for Go, whose calls fail", async () => {
    const { echo, peer, session, pending, state } = await callsUnderWay();
    await echo.session.close();
    expect(await peer.do("closed", { handle: session, timeoutMs: commandMs })).toMatchObject({
      closed: true,
      closeCode: 1000,
      reason: "",
    });
    for (const failed of await pending) expect(failed["timeout"]).toBeUndefined();
    expect(state.cancelled).toBe(state.started);
    expect(await echo.session.closed).toMatchObject({ layer: "session", code: "closed-locally" });
  });

  it("nothing is complained about when nothing was under way", async () => {
    const { echo, peer, session, call } = await goEcho();
    await call();
    await echo.session.close();
    await peer.do("closed", { handle: session, timeoutMs: commandMs });
    expect(peer.complaints).toEqual([]);
  });

  it("W3.4 calls under way get the time that is given", async () => {
    const { echo, peer, session, stream } = await goEcho();
    const call = await stream("Bidi");
    const bodyB64 = payloadB64(Buffer.from("x"));
    await call.send({ bodyB64 });
    await call.recv();
    const closing = echo.session.close(commandMs);
    await peer.do("ping", { handle: session });
    await call.send({ bodyB64 });
    expect(await call.recv()).toMatchObject({ bodyB64 });
    await call.closeSend();
    expect(await call.recv()).toMatchObject({ eof: true });
    await closing;
    expect(await peer.do("closed", { handle: session, timeoutMs: commandMs })).toMatchObject({
      closeCode: 1000,
    });
  });

  it("S1.40, S2.10 with the whole control plane: the agent looks disconnected", async () => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const session = await goDial(peer, plane);
    await plane.close();
    expect(await peer.do("closed", { handle: session, timeoutMs: commandMs })).toMatchObject({
      closed: true,
      closeCode: 1000,
    });
    const { connection } = (await plane.store.agent(plane.agents[0]?.id ?? "")) ?? {};
    expect(connection?.disconnectedAtUs).toBeGreaterThanOrEqual(connection?.lastConnectedAtUs ?? 0);
    expect(await goFailure(goDial(peer, plane))).toMatchObject({ error: expect.stringContaining("refused") });
    expect(peer.complaints).toEqual([]);
  });

  it("S1.35 with an error's code and reason, for what is wrong", async () => {
    const { echo, peer, session } = await goEcho();
    const reason = "initialize resource monitoring: fetch memory resource monitor: no";
    echo.session.abort(new TransportError("session", "failed-locally", reason), CloseCode.InternalError);
    expect(await peer.do("closed", { handle: session, timeoutMs: commandMs })).toMatchObject({
      closed: true,
      closeCode: 1011,
      reason,
    });
  });
});

/** A Go server on which calls of each kind of our client wait. */
async function ourCallsUnderWay(connection: AgentConnection, server: GoServer) {
  await server.script("*", { stall: true });
  async function* endless() {
    yield {};
    await new Promise(() => {});
  }
  const pending = [
    failure(connection.agent.getManifest({})),
    failure(connection.agent.updateStats({}, { timeoutMs: 60_000 })),
    failure(collect(connection.tailnet.streamDERPMaps({}))),
    failure(collect(connection.tailnet.coordinate(endless()))),
  ];
  for (const rpc of [manifest, agentRpc("UpdateStats"), maps, coordinate]) await server.running(rpc);
  return pending;
}

/** Calls have failed with what ended the connection. */
async function expectAllFailed(pending: Promise<RpcError>[], end: TransportError): Promise<void> {
  for (const error of await Promise.all(pending)) {
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: Code.Unavailable, layer: end.layer, cause: end });
    expect(error.rawMessage).toBe(`${error.rpc}: ${end.message}`);
    expect(error.rawMessage).not.toContain("token");
  }
}

describeWithGo("how the connection to a Go server ends, for our client", () => {
  it.each(ends)("W2.4 by %s: closed says so, and so do the calls", async (_name, op, facts, end) => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    const pending = await ourCallsUnderWay(connection, server);
    await server.peer.do(op, { handle: session, ...facts });
    const closed = await connection.closed;
    expect(closed).toBeInstanceOf(TransportError);
    expect(closed).toMatchObject({ layer: "connection", ...end });
    expect(closed.message).toContain(`${server.url}/api/v2/workspaceagents/me/rpc`);
    await expectAllFailed(pending, closed);
    const late = await failure(connection.agent.getManifest({}));
    expect(late).toMatchObject({ code: Code.Unavailable, cause: closed });
    await expect(connection.ping()).rejects.toBe(closed);
    await connection.close();
    const { connection: next } = await server.dial();
    await server.script("*", null);
    expect(await next.agent.getServiceBanner({})).toMatchObject({ enabled: false });
  });

  it("by the end of the whole server", async () => {
    const server = await GoServer.start();
    const { connection } = await server.dial();
    const pending = await ourCallsUnderWay(connection, server);
    await server.peer.do("close", { handle: server.handle });
    await expectAllFailed(pending, await connection.closed);
  });

  it("W3.4 Go's go away: no new calls, those under way go on", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    await server.script(manifest, { delayMs: 100, reply: { agentName: "main" } });
    const call = connection.agent.getManifest({});
    await server.running(manifest);
    await server.peer.do("goAway", { handle: session });
    await eventually(() => !connection.session.isAccepting, "the go away is known");
    const error = await failure(connection.agent.updateStats({}));
    expect(error).toMatchObject({ code: Code.Unavailable, layer: "session" });
    expect(error.cause).toMatchObject({ code: "not-accepting" });
    expect(await call).toMatchObject({ agentName: "main" });
    expect(connection.session.error).toBeUndefined();
    expect(await connection.ping()).toBeGreaterThan(0);
  });
});

describeWithGo("how our client ends its connection to a Go server", () => {
  /** How Go saw the session end. */
  const goEnd = ({ peer }: GoServer, session: number) => peer.event("sessionEnd", { session });

  it("close(): a clean end for Go, and calls under way fail with it", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    const pending = await ourCallsUnderWay(connection, server);
    await connection.close();
    const closed = await connection.closed;
    expect(closed).toMatchObject({ layer: "session", code: "closed-locally" });
    await expectAllFailed(pending, closed);
    expect(await goEnd(server, session)).toMatchObject({ closeCode: 1000, reason: "" });
    await eventually(
      async () => (await server.calls()).every(({ outcome }) => outcome === "canceled"),
      "Go's handlers are cancelled",
    );
    await connection.close();
  });

  it("close() with nothing under way: nothing is complained about", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    await connection.agent.getManifest({});
    // Go has still to end its side of the call's stream, and would complain if it could not
    await eventually(() => connection.session.streamCount === 0, "the stream has ended");
    await connection.close();
    expect(await goEnd(server, session)).toMatchObject({ closeCode: 1000 });
    expect(server.peer.complaints).toEqual([]);
  });

  it("close({ timeoutMs }): calls under way get their time", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    await server.script(manifest, { delayMs: 150, reply: { agentName: "main" } });
    await server.script(maps, { messages: [{}, {}], delayMs: 100 });
    const call = connection.agent.getManifest({});
    const stream = collect(connection.tailnet.streamDERPMaps({}));
    await server.running(manifest);
    const closing = connection.close({ timeoutMs: commandMs });
    expect(await call).toMatchObject({ agentName: "main" });
    expect(await stream).toHaveLength(2);
    await closing;
    expect(await goEnd(server, session)).toMatchObject({ closeCode: 1000 });
    expect(server.peer.complaints).toEqual([]);
    expect(await failure(connection.agent.getManifest({}))).toMatchObject({ layer: "session" });
  });

  it("close({ timeoutMs }): no new calls while it waits", async () => {
    const server = await GoServer.start();
    const { connection } = await server.dial();
    await server.script(manifest, { delayMs: 200 });
    const call = connection.agent.getManifest({});
    await server.running(manifest);
    const closing = connection.close({ timeoutMs: commandMs });
    const late = await failure(connection.agent.updateStats({}));
    expect(late).toMatchObject({ code: Code.Unavailable, layer: "session" });
    await call;
    await closing;
  });

  it("close({ timeoutMs }): no longer than that", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    const pending = await ourCallsUnderWay(connection, server);
    await connection.close({ timeoutMs: 50 });
    await expectAllFailed(pending, await connection.closed);
    expect(await goEnd(server, session)).toMatchObject({ closeCode: 1000 });
  });

  it("await using: closed where its block ends", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    {
      await using scoped = connection;
      await scoped.agent.getManifest({});
    }
    expect(await goEnd(server, session)).toMatchObject({ closeCode: 1000 });
  });
});
