import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, onTestFinished } from "vitest";
import {
  createMemoryPair,
  dialSocket,
  type StandardWebSocket,
  socketConnection,
  webSocketConnection,
  wsConnection,
} from "../../../src/transport/index-node.js";
import { describeWithGo, GoPeer } from "../../support/go-peer.js";
import { recut } from "../../support/recut-connection.js";
import { webSocketPair } from "../../support/web-socket-pair.js";
import { goMux } from "./go-mux.js";
import { type MuxPair, multiplexerCompliance } from "./multiplexer.js";
import { ourMux } from "./our-mux.js";

async function overSockets(path?: string): Promise<MuxPair> {
  const listener = createServer();
  listener.listen(path ?? { host: "127.0.0.1", port: 0 });
  await once(listener, "listening");
  onTestFinished(() => void listener.close());
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const target =
    path === undefined ? { host: "127.0.0.1", port: (listener.address() as AddressInfo).port } : { path };
  const connection = await dialSocket(target);
  const [socket] = await accepted;
  return { client: ourMux(connection, "client"), server: ourMux(socketConnection(socket), "server") };
}

async function overWebSocket(kind: "ws" | "standard"): Promise<MuxPair> {
  return webSocketPair((socket, side) =>
    ourMux(
      kind === "standard" && side === "client"
        ? webSocketConnection(socket as unknown as StandardWebSocket)
        : wsConnection(socket),
      side,
    ),
  );
}

describe("the multiplexer in memory", () => {
  multiplexerCompliance(async () => {
    const [a, b] = createMemoryPair();
    return { client: ourMux(a, "client"), server: ourMux(b, "server") };
  });
});

describe("the multiplexer in memory with windows of 1 MiB, cut everywhere", () => {
  multiplexerCompliance(async () => {
    const [a, b] = createMemoryPair();
    const options = { windowBytes: 1024 * 1024, maxMessageBytes: 4096 };
    return {
      client: ourMux(recut(a, [1, 5, 4000]), "client", options),
      server: ourMux(recut(b, [13, 1, 3000]), "server", options),
    };
  });
});

describe("the multiplexer over TCP", () => multiplexerCompliance(() => overSockets()));

describe("the multiplexer over a Unix socket", () => {
  multiplexerCompliance(() => {
    const folder = mkdtempSync(join(tmpdir(), "agentwire-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return overSockets(join(folder, "mux.sock"));
  });
});

describe("the multiplexer over WebSocket", () => multiplexerCompliance(() => overWebSocket("ws")));

describe("the multiplexer over a standard WebSocket", () =>
  multiplexerCompliance(() => overWebSocket("standard")));

describeWithGo("the multiplexer as a client of the Go library", () => {
  multiplexerCompliance(async () => {
    const peer = GoPeer.start();
    const { addr } = await peer.do("serveTcp", { network: "tcp", addr: "127.0.0.1:0", mode: "yamux" });
    const [host, port] = String(addr).split(":");
    const connection = await dialSocket({ host: host ?? "", port: Number(port) });
    const { session } = await peer.event("session");
    return {
      client: ourMux(connection, "client"),
      server: goMux(peer, Number(session)),
      complaints: () => peer.complaints,
    };
  });
});

describeWithGo("the multiplexer as a server of the Go library", () => {
  multiplexerCompliance(async () => {
    const peer = GoPeer.start();
    const listener = createServer();
    listener.listen({ host: "127.0.0.1", port: 0 });
    await once(listener, "listening");
    onTestFinished(() => void listener.close());
    const accepted = once(listener, "connection") as Promise<[Socket]>;
    const { port } = listener.address() as AddressInfo;
    const session = await peer.handle("dialTcp", { network: "tcp", addr: `127.0.0.1:${port}` });
    const [socket] = await accepted;
    return {
      client: goMux(peer, session),
      server: ourMux(socketConnection(socket), "server"),
      complaints: () => peer.complaints,
    };
  });
});
