import { createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ByteConnection } from "../../src/transport/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { serve } from "../support/echo.js";
import { settle } from "../support/scripted-connection.js";

const windowBytes = 256 * 1024;
const delayMs = 50;
const roundTrips = 12;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** The same connection; what comes, comes later. */
function late(connection: ByteConnection): ByteConnection {
  const attach = connection.attach.bind(connection);
  connection.attach = (receiver) =>
    attach({
      onBytes: (bytes) => void setTimeout(() => receiver.onBytes(bytes), delayMs),
      onDrain: () => receiver.onDrain(),
      onEnd: (end) => receiver.onEnd(end),
    });
  return connection;
}

async function pass(ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) {
    vi.advanceTimersByTime(1);
    await settle(4);
  }
}

interface Message {
  payload: Uint8Array;
}

/** Begins a stream without an end. @returns what tells how many bytes of messages its reader has had. */
function streamOf(size: number, direction: "down" | "up"): () => number {
  let readBytes = 0;
  async function* messages() {
    for (;;) yield { payload: new Uint8Array(size) };
  }
  async function read(all: AsyncIterable<Message>): Promise<never> {
    for await (const { payload } of all) readBytes += payload.length;
    throw new Error("the stream is over");
  }
  const { transport } = serve(
    (router) => router.service(EchoService, { serverStream: messages, clientStream: read }),
    { yamux: { maxWindowBytes: windowBytes, keepAliveIntervalMs: 0 }, wrap: late },
  );
  const echo = createClient(EchoService, transport);
  const over = direction === "down" ? read(echo.serverStream({})) : echo.clientStream(messages());
  // it ends with the test
  over.catch(() => {});
  return () => readBytes;
}

describe("W3.2 over a long way", () => {
  it.each([
    ["down", 1024],
    ["up", 1024],
    ["down", 65_536],
    ["up", 65_536],
    ["down", 100_000],
    ["up", 100_000],
  ] as const)("a stream moves nearly a window in each round trip (%s, %i bytes)", async (direction, size) => {
    const readBytes = streamOf(size, direction);
    await pass(4 * 2 * delayMs);
    const before = readBytes();
    await pass(roundTrips * 2 * delayMs);
    const moved = readBytes() - before;
    expect(moved).toBeGreaterThan(0.85 * roundTrips * windowBytes);
    expect(moved).toBeLessThanOrEqual(1.01 * roundTrips * windowBytes + size);
  });
});
