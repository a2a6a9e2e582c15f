import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { BoundaryLogSender } from "../../src/client/index-node.js";
import { createBoundaryLogClient, createBoundaryLogProxy } from "../../src/local/index.js";
import { eventually } from "../support/control-plane.js";
import { failure } from "../support/echo.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { agentRpc, commandMs } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const rpc = agentRpc("ReportBoundaryLogs");
const sessionId = "4f8e3a52-9f2e-4a58-8a14-6f7d0f3c2b11";

/** A request as protobuf JSON, which leaves zeros out, with something in every field. */
const request = (number: number) => ({
  sessionId,
  confinedProcessName: "claude",
  logs: [
    {
      allowed: true,
      time: "2025-03-01T10:00:00.123456789Z",
      httpRequest: { method: "GET", url: "https://example.com/ü?q=1", matchedRule: "domain=example.com" },
      sequenceNumber: number + 1,
    },
    { httpRequest: { method: "POST", url: "https://example.org/" }, sequenceNumber: number + 2 },
    {},
  ],
});

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "boundary-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "audit.sock");
}

/** A proxy of ours, with its sender on a Go control plane. */
async function forwarding() {
  const server = await GoServer.start();
  const sender = new BoundaryLogSender();
  const warnings: string[] = [];
  const proxy = await createBoundaryLogProxy({
    path: socketPath(),
    sender,
    onWarning: (text) => warnings.push(text),
  });
  onTestFinished(() => proxy.close());
  return {
    server,
    sender,
    proxy,
    warnings,
    peer: server.peer,
    /** A Go program that is connected to the proxy. */
    writer: () => server.peer.handle("boundaryDial", { path: proxy.path }),
    received: async () => (await server.calls(rpc)).map(({ json }) => json),
    /** Sends over a connection of its own, until that ends. */
    async connect() {
      const { connection, session } = await server.dial();
      const abort = new AbortController();
      const ended = sender.run(connection.agent, abort.signal);
      ended.catch(() => {});
      onTestFinished(() => abort.abort());
      return { connection, session, ended };
    },
  };
}

describeWithGo("C6.11 boundary logs of a Go program", () => {
  it("reach a Go control plane unchanged, under both tags, however they are cut", async () => {
    const { sender, server, proxy, warnings, peer, writer, received, connect } = await forwarding();
    const { connection, session } = await connect();
    const handle = await writer();
    await peer.do("boundarySend", { handle, tag: 1, json: request(0) });
    await peer.do("boundarySend", { handle, tag: 2, json: { logs: request(3) }, chunk: 1 });
    await peer.do("boundarySend", { handle, tag: 1, json: {} });
    await peer.do("boundarySend", { handle, tag: 2, json: { logs: request(6) }, chunk: 7 });
    await eventually(() => sender.forwarded === 4);
    expect(await received()).toEqual([request(0), request(3), {}, request(6)]);
    await peer.do("close", { handle });
    await eventually(() => proxy.connectionCount === 0);
    expect(warnings).toEqual([]);
    await server.expectQuiet(connection, session);
  });

  it("keep the fields that nobody here knows", async () => {
    const { server, peer, writer, connect } = await forwarding();
    await connect();
    // field 1000, with zeros
    const bytes = Buffer.concat([Buffer.from("c23e8427", "hex"), Buffer.alloc(4996)]);
    await peer.do("boundarySend", { handle: await writer(), tag: 1, bodyB64: bytes.toString("base64") });
    const { size, sha256 } = await server.outcome(rpc);
    expect({ size, sha256 }).toEqual({
      size: 5000,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
  });

  it("tell what they had to drop, which is counted and goes no further (C6.18)", async () => {
    const { sender, peer, writer, received, connect } = await forwarding();
    await connect();
    const handle = await writer();
    await peer.do("boundarySend", { handle, tag: 2, json: { status: { droppedChannelFull: "3" } } });
    const status = { droppedChannelFull: "-4", droppedBatchFull: "5" };
    await peer.do("boundarySend", { handle, tag: 2, json: { status } });
    await peer.do("boundarySend", { handle, tag: 1, json: request(0) });
    await eventually(() => sender.forwarded === 1);
    expect(await received()).toEqual([request(0)]);
    expect(sender.droppedLogs).toEqual({ boundary_channel_full: 3, boundary_batch_full: 5 });
  });

  it("wait for a connection, and survive one that breaks, but for what was under way (C6.13)", async () => {
    const { server, sender, peer, writer, received, connect } = await forwarding();
    const handle = await writer();
    for (let i = 0; i < 4; i++) await peer.do("boundarySend", { handle, tag: 1, json: request(i) });
    await eventually(() => sender.pending === 4);
    await server.script(rpc, { stall: true });
    const { session, ended } = await connect();
    await server.running(rpc);
    await peer.do("tcpAbort", { handle: session });
    expect(await failure(ended)).toMatchObject({ layer: expect.stringMatching(/connection|session/) });
    expect([sender.pending, sender.dropped, sender.droppedLogs]).toEqual([
      3,
      { forward_failed: 1 },
      { forward_failed: 3 },
    ]);
    await server.script(rpc, null);
    await peer.do("resetCalls", { handle: server.handle });
    await connect();
    await eventually(() => sender.forwarded === 3);
    expect(await received()).toEqual([request(1), request(2), request(3)]);
  });

  it("are lost one by one where the server refuses them, and stay where it does not know them", async () => {
    const { server, sender, peer, writer, received, connect } = await forwarding();
    const handle = await writer();
    const send = (i: number) => peer.do("boundarySend", { handle, tag: 1, json: request(i) });
    await server.script(rpc, { missing: true });
    await send(0);
    await (await connect()).ended;
    await server.script(rpc, { unimplemented: true });
    await (await connect()).ended;
    expect([sender.pending, sender.dropped]).toEqual([1, {}]);
    await server.script(rpc, { error: { code: 0, text: "batch size 3 exceeds maximum of 2" } });
    await connect();
    await eventually(() => sender.dropped["forward_failed"] === 1);
    await server.script(rpc, null);
    await peer.do("resetCalls", { handle: server.handle });
    await send(1);
    await eventually(() => sender.forwarded === 1);
    expect(await received()).toEqual([request(1)]);
  });
});

describeWithGo("C6.6 mistakes of a Go program", () => {
  it.each([
    [
      "a tag that is not known",
      { rawB64: Buffer.from("05000000", "hex").toString("base64") },
      "unsupported tag: 5",
    ],
    ["too large a message", { tag: 2, padding: 32_769 }, "message too large"],
  ])("end its connection for %s, without a word", async (_what, frame: Facts, warning) => {
    const { peer, writer, warnings, sender } = await forwarding();
    const handle = await writer();
    const other = await writer();
    await peer.do("boundarySend", { handle, ...frame });
    expect(await peer.do("boundaryEnd", { handle, timeoutMs: commandMs })).toMatchObject({ dataB64: "" });
    expect(warnings).toEqual([`boundary log connection 1: ${warning}; the connection is closed`]);
    await peer.do("boundarySend", { handle: other, tag: 1, padding: 32_768 });
    await eventually(() => sender.pending === 1);
  });

  it("cost it a frame at most: one that cannot be read, or is broken off", async () => {
    const { peer, writer, warnings, sender, proxy } = await forwarding();
    const handle = await writer();
    await peer.do("boundarySend", { handle, tag: 2, bodyB64: Buffer.from("0aff", "hex").toString("base64") });
    await peer.do("boundarySend", { handle, tag: 2, json: {} });
    await peer.do("boundarySend", { handle, tag: 1, json: request(0) });
    await peer.do("boundarySend", { handle, tag: 1, json: request(1), bytes: 30 });
    await peer.do("close", { handle });
    await eventually(() => proxy.connectionCount === 0);
    expect(sender.pending).toBe(1);
    expect(warnings).toEqual([
      expect.stringMatching(/: unmarshal TagV2: .+; the frame is skipped$/),
      "boundary log connection 1: a message of no known kind is ignored",
      "boundary log connection 1: read full error: unexpected EOF",
    ]);
  });
});

describeWithGo("C6.22 boundary logs of a program of ours", () => {
  it("are frames of tag 2 to a Go agent, with a status behind them where logs were dropped", async () => {
    const peer = GoPeer.start();
    const path = socketPath();
    const handle = await peer.handle("boundaryServe", { path });
    const client = createBoundaryLogClient({ path });
    onTestFinished(() => client.close());
    const session = client.next.sessionId;
    const time = new Date("2025-03-01T10:00:00.123Z");
    for (let i = 0; i < 33; i++) {
      client.log({
        allowed: i > 0,
        method: "GET",
        url: `https://example.com/${i}`,
        matchedRule: "all",
        time,
      });
    }
    await client.close();
    const seen = async () =>
      (await peer.do("boundaryFrames", { handle })) as { frames: Facts[]; open: number; errors: string[] };
    await eventually(async () => (await seen()).open === 0);
    const { frames, errors } = await seen();
    const log = (i: number) => ({
      ...(i > 0 ? { allowed: true } : {}),
      time: "2025-03-01T10:00:00.123Z",
      httpRequest: {
        method: "GET",
        url: `https://example.com/${i}`,
        ...(i > 0 ? { matchedRule: "all" } : {}),
      },
      ...(i > 0 ? { sequenceNumber: i } : {}),
    });
    const logs = (from: number) => ({
      logs: { sessionId: session, logs: Array.from({ length: 10 }, (_, i) => log(from + i)) },
    });
    expect(frames.map(({ json }) => json)).toEqual([
      logs(0),
      { status: { droppedChannelFull: "3" } },
      logs(10),
      logs(20),
    ]);
    expect(new Set(frames.map(({ tag, connection }) => `${tag} ${connection}`))).toEqual(new Set(["2 1"]));
    expect(errors).toEqual([]);
  });

  it("are never over the size that a Go agent takes", async () => {
    const peer = GoPeer.start();
    const path = socketPath();
    const handle = await peer.handle("boundaryServe", { path });
    const client = createBoundaryLogClient({ path });
    for (let i = 0; i < 10; i++) client.log({ allowed: false, method: "GET", url: "x".repeat(3262) });
    client.log({ allowed: false, method: "GET", url: "x".repeat(32_000) });
    client.log({ allowed: false, method: "GET", url: "x".repeat(33_000) });
    await client.close();
    await eventually(async () => (await peer.do("boundaryFrames", { handle }))["open"] === 0);
    const { frames, errors } = (await peer.do("boundaryFrames", { handle })) as {
      frames: { size: number; json: Facts }[];
      errors: string[];
    };
    expect(errors).toEqual([]);
    expect(Math.max(...frames.map(({ size }) => size))).toBeLessThanOrEqual(32_768);
    const numbers = frames.flatMap(({ json }) =>
      ((json["logs"] as { logs: Facts[] } | undefined)?.logs ?? []).map((log) => log["sequenceNumber"] ?? 0),
    );
    expect(numbers).toEqual(Array.from({ length: 11 }, (_, i) => i));
    expect(frames.map(({ json }) => json["status"]).filter(Boolean)).toEqual([{ droppedBatchFull: "1" }]);
  });
});
