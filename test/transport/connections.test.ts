import { createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import {
  type ByteConnection,
  createMemoryPair,
  cutReason,
  dialSocket,
  type StandardWebSocket,
  socketConnection,
  type TransportError,
  webSocketConnection,
  wsConnection,
} from "../../src/transport/index-node.js";
import { webSocketPair, webSocketServer } from "../support/web-socket-pair.js";

interface Watched {
  connection: ByteConnection;
  received: Buffer[];
  drains: number;
  ended: Promise<TransportError>;
}

/** Notes everything that a connection delivers. */
function watch(connection: ByteConnection): Watched {
  const watched: Watched = { connection, received: [], drains: 0, ended: Promise.resolve() as never };
  watched.ended = new Promise((resolve) => {
    connection.attach({
      onBytes: (bytes) => watched.received.push(Buffer.from(bytes)),
      onDrain: () => watched.drains++,
      onEnd: resolve,
    });
  });
  return watched;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(condition()).toBe(true);
}

async function socketPair(): Promise<[ByteConnection, ByteConnection, Socket]> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void listener.close());
  const accepted = new Promise<Socket>((resolve) => listener.once("connection", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const dialled = await dialSocket({ host: "127.0.0.1", port: address.port });
  const socket = await accepted;
  return [dialled, socketConnection(socket), socket];
}

const pairs: Record<string, () => Promise<[ByteConnection, ByteConnection]>> = {
  memory: async () => createMemoryPair(),
  socket: async () => {
    const [a, b] = await socketPair();
    return [a, b];
  },
  ws: async () => {
    const { client, server } = await webSocketPair((socket) => wsConnection(socket));
    return [client, server];
  },
  "standard WebSocket": async () => {
    const { client, server } = await webSocketPair((socket, side) =>
      side === "client" ? webSocketConnection(socket as unknown as StandardWebSocket) : wsConnection(socket),
    );
    return [client, server];
  },
};

describe.each(Object.keys(pairs))("a %s connection", (kind) => {
  const connect = async () => {
    const [a, b] = (await pairs[kind]?.()) ?? createMemoryPair();
    return [watch(a), watch(b)] as const;
  };

  it("carries bytes in order, both ways", async () => {
    const [a, b] = await connect();
    for (let i = 0; i < 50; i++) {
      a.connection.write(Buffer.from(`${i},`));
      b.connection.write(Buffer.from(`${i};`));
    }
    await until(() => Buffer.concat(a.received).length === 140 && Buffer.concat(b.received).length === 140);
    expect(Buffer.concat(b.received).toString()).toBe([...Array(50).keys()].map((i) => `${i},`).join(""));
    expect(Buffer.concat(a.received).toString()).toBe([...Array(50).keys()].map((i) => `${i};`).join(""));
    a.connection.close(1000, "");
    await Promise.all([a.ended, b.ended]);
  });

  it("delivers what was written before it was closed, and says who closed it", async () => {
    const [a, b] = await connect();
    a.connection.write(Buffer.alloc(1_000_000, 7));
    a.connection.close(1000, "");
    expect((await b.ended).code).toBe("closed-by-peer");
    expect((await a.ended).code).toBe("closed-locally");
    expect(Buffer.concat(b.received).length).toBe(1_000_000);
    a.connection.write(Buffer.from("too late"));
    a.connection.close(1000, "again");
  });

  it("ends at once when it is aborted", async () => {
    const [a, b] = await connect();
    a.connection.abort();
    expect((await a.ended).code).toBe("closed-locally");
    expect(["connection-lost", "closed-by-peer"]).toContain((await b.ended).code);
  });

  it("counts what it has to send, and says when it has sent it", async () => {
    const [a, b] = await connect();
    b.connection.pauseReading();
    for (let i = 0; i < 100; i++) a.connection.write(Buffer.alloc(200_000));
    expect(a.connection.bufferedBytes).toBeGreaterThan(1_000_000);
    b.connection.resumeReading();
    await until(() => a.drains > 0);
    await until(() => Buffer.concat(b.received).length === 20_000_000);
    expect(a.connection.bufferedBytes).toBeLessThan(100_000);
    a.connection.close(1000, "");
    await Promise.all([a.ended, b.ended]);
  });
});

describe("W1.1 a text message", () => {
  it("closes a ws connection with 1003, and says what was wrong", async () => {
    const { client, server, clientSocket } = await webSocketPair((socket) => watch(wsConnection(socket)));
    const closed = new Promise((resolve) =>
      clientSocket.once("close", (code, why) => resolve([code, `${why}`])),
    );
    clientSocket.send("hello");
    expect(await server.ended).toMatchObject({ code: "connection-misused", closeCode: 1003 });
    expect(await closed).toEqual([1003, "unexpected frame type read (expected MessageBinary): MessageText"]);
    expect(server.received).toEqual([]);
    expect(await client.ended).toMatchObject({ code: "connection-lost", closeCode: 1003 });
  });

  it("closes a standard WebSocket with a code that it may send", async () => {
    const codes: number[] = [];
    const { client, serverSocket } = await webSocketPair((socket, side) =>
      side === "client" ? watch(webSocketConnection(socket as unknown as StandardWebSocket)) : undefined,
    );
    serverSocket.on("close", (code) => codes.push(code));
    serverSocket.send("hello");
    expect((await client?.ended)?.code).toBe("connection-misused");
    await until(() => codes.length > 0);
    expect(codes).toEqual([4003]);
  });
});

describe("W2.2–W2.4 a ws connection", () => {
  it("takes messages in fragments and empty ones, as a stream", async () => {
    const { server, clientSocket } = await webSocketPair((socket) => watch(wsConnection(socket)));
    clientSocket.send(Buffer.from("ab"), { binary: true, fin: false });
    clientSocket.send(Buffer.from("cd"), { binary: true, fin: true });
    clientSocket.send(Buffer.alloc(0));
    clientSocket.send(Buffer.from("ef"));
    await until(() => Buffer.concat(server.received).toString() === "abcdef");
  });

  it("answers a WebSocket ping while data is on its way", async () => {
    const { client, clientSocket } = await webSocketPair((socket) => watch(wsConnection(socket)));
    for (let i = 0; i < 20; i++) client.connection.write(Buffer.alloc(60_000));
    const pong = new Promise<string>((resolve) =>
      clientSocket.once("pong", (data) => resolve(data.toString())),
    );
    clientSocket.ping("are you there");
    expect(await pong).toBe("are you there");
  });

  it("refuses a message over its limit", async () => {
    const { server, clientSocket } = await webSocketPair((socket) => watch(wsConnection(socket)), {
      server: { maxPayload: 1000 },
    });
    clientSocket.send(Buffer.alloc(1001));
    expect(await server.ended).toMatchObject({
      code: "connection-misused",
      message: expect.stringContaining("too large"),
    });
  });

  it.each([
    [1000, "closed-by-peer"],
    [1001, "closed-by-peer"],
    [1011, "connection-lost"],
    [4321, "connection-lost"],
  ])("ends with %i as %s, and keeps code and reason", async (code, expected) => {
    const { server, clientSocket } = await webSocketPair((socket) => watch(wsConnection(socket, "agent")));
    clientSocket.close(code, "why");
    expect(await server.ended).toMatchObject({
      code: expected,
      closeCode: code,
      message: `agent: closed by the peer (${code}: why)`,
    });
  });

  it("counts a peer that vanishes as a lost connection", async () => {
    const { server, clientSocket } = await webSocketPair((socket) => watch(wsConnection(socket)));
    clientSocket.terminate();
    expect((await server.ended).code).toBe("connection-lost");
  });

  it("cuts a reason to the 123 bytes of a close frame, between characters", async () => {
    expect(cutReason("é".repeat(100))).toBe("é".repeat(61));
    expect(cutReason("short")).toBe("short");
    const { client, serverSocket } = await webSocketPair((socket) => watch(wsConnection(socket)));
    const reason = new Promise<string>((resolve) =>
      serverSocket.once("close", (_code, why) => resolve(`${why}`)),
    );
    client.connection.close(1011, "x".repeat(500));
    expect(await reason).toHaveLength(123);
  });

  it("gives a peer that does not answer the close frame 5 s, then cuts it off", {
    timeout: 10_000,
  }, async () => {
    const { client, serverSocket } = await webSocketPair((socket, side) =>
      side === "client" ? watch(wsConnection(socket)) : undefined,
    );
    serverSocket.pause();
    const startedAt = Date.now();
    client?.connection.close(1000, "");
    expect((await client?.ended)?.code).toBe("closed-locally");
    expect(Date.now() - startedAt).toBeGreaterThan(4000);
  });

  it("loses nothing that arrives before it has a receiver", async () => {
    const { server } = await webSocketServer();
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    server.on("connection", (socket) => socket.send(Buffer.from("early")));
    const socket = new WebSocket(`ws://127.0.0.1:${address.port}`, { perMessageDeflate: false });
    const connection = await new Promise<ByteConnection>((resolve) =>
      socket.once("open", () => resolve(wsConnection(socket))),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { received } = watch(connection);
    await until(() => Buffer.concat(received).toString() === "early");
  });
});

describe("a socket that cannot be dialled", () => {
  it("is an error that says which", async () => {
    await expect(dialSocket({ path: "/nowhere/agent.sock" })).rejects.toMatchObject({
      layer: "connection",
      code: "connection-lost",
      message: expect.stringContaining("dial /nowhere/agent.sock"),
    });
  });

  it("is given up when the signal says so", async () => {
    const reason = new Error("enough");
    await expect(dialSocket({ host: "127.0.0.1", port: 9 }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
