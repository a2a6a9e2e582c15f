import { afterEach, describe, expect, it, vi } from "vitest";
import type { WebSocket } from "ws";
import { ProbedConnection } from "../../../src/server/tailnet/endpoint-connection.js";
import type { TransportError } from "../../../src/transport/index.js";
import { webSocketPair } from "../../support/web-socket-pair.js";

const pingIntervalMs = 15_000;

/** A server's connection whose clock stands still, and the client's socket. */
async function probed({ answersPings = true } = {}) {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { server, clientSocket } = await webSocketPair<ProbedConnection | WebSocket>(
    (socket, side) => (side === "client" ? socket : new ProbedConnection(socket, "test", pingIntervalMs)),
    { client: { autoPong: answersPings } },
  );
  const connection = server as ProbedConnection;
  const ends: TransportError[] = [];
  const received: Uint8Array[] = [];
  connection.attach({
    onBytes: (bytes) => void received.push(bytes),
    onDrain: () => {},
    onEnd: (end) => void ends.push(end),
  });
  const closed = new Promise<string>((resolve) => {
    clientSocket.once("close", (code, reason) => resolve(`${code} ${reason.toString()}`));
  });
  const pinged = () => new Promise<void>((resolve) => clientSocket.once("ping", () => resolve()));
  return { connection, clientSocket, ends, received, closed, pinged };
}

afterEach(() => void vi.useRealTimers());

describe("S4.32 a user's WebSocket", () => {
  it("is pinged every 15 s, and lives as long as it answers", async () => {
    const { ends, pinged, clientSocket, connection, closed } = await probed();
    for (let i = 0; i < 5; i++) {
      const ping = pinged();
      vi.advanceTimersByTime(pingIntervalMs);
      await ping;
      // what comes back after the pong shows that the pong has arrived
      const echoed = new Promise<void>((resolve) => clientSocket.once("pong", () => resolve()));
      clientSocket.ping();
      await echoed;
    }
    expect(ends).toEqual([]);
    connection.close(1000, "");
    expect(await closed).toBe("1000 ");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is closed with 1001 when a pong is missing, and has ended at once", async () => {
    const { ends, pinged, closed } = await probed({ answersPings: false });
    const ping = pinged();
    vi.advanceTimersByTime(pingIntervalMs);
    await ping;
    expect(ends).toEqual([]);
    vi.advanceTimersByTime(pingIntervalMs);
    expect(ends).toMatchObject([{ code: "ping-timeout", layer: "connection", closeCode: 1001 }]);
    expect(await closed).toBe("1001 liveness probe failed");
    expect(ends).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is closed with 1011 and the text, cut to what fits, for anything that is not in order", async () => {
    const { connection, closed } = await probed();
    connection.close(1002, `yamux: ${"é".repeat(100)}`);
    expect(await closed).toBe(`1011 yamux: ${"é".repeat(58)}`);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("carries bytes, and says how the client ended it", async () => {
    const { clientSocket, connection, received, ends } = await probed();
    const answer = new Promise<Buffer>((resolve) =>
      clientSocket.once("message", (data) => resolve(data as Buffer)),
    );
    clientSocket.send(new Uint8Array([1, 2]));
    connection.write(new Uint8Array([3]));
    expect([...(await answer)]).toEqual([3]);
    clientSocket.close(1000);
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    expect(received.map((bytes) => [...bytes])).toEqual([[1, 2]]);
    expect(ends).toMatchObject([{ code: "closed-by-peer", closeCode: 1000 }]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
