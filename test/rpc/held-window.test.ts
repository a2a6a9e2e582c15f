import { createClient } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ByteConnection } from "../../src/transport/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { serve } from "../support/echo.js";
import { runs, timeoutMs } from "../support/scale.js";
import { settle } from "../support/scripted-connection.js";

const windowBytes = 256 * 1024;

/** What a message takes on the wire beside its bytes: fields, packets and frames. */
const headerBytes = 128;

interface Message {
  payload: Uint8Array;
}

/** The same connection, which tells how much has come. */
function counting(connection: ByteConnection, onCount: (bytes: number) => void): ByteConnection {
  const attach = connection.attach.bind(connection);
  connection.attach = (receiver) =>
    attach({
      onBytes(bytes) {
        onCount(bytes.length);
        receiver.onBytes(bytes);
      },
      onDrain: () => receiver.onDrain(),
      onEnd: (end) => receiver.onEnd(end),
    });
  return connection;
}

/** A stream of messages of these sizes in one direction, and how much of it has come. */
function messagesOf(sizes: readonly number[], direction: "down" | "up", maxWindowBytes: number) {
  const received = { client: 0, server: 0 };
  async function* messages() {
    for (const [i, size] of sizes.entries()) yield { payload: new Uint8Array(size).fill(i) };
  }
  let arrived: (requests: AsyncIterable<Message>) => void = () => {};
  const requests = new Promise<AsyncIterable<Message>>((resolve) => {
    arrived = resolve;
  });
  const { transport } = serve(
    (router) => {
      router.service(EchoService, {
        serverStream: messages,
        clientStream(got) {
          arrived(got);
          return new Promise(() => {});
        },
      });
    },
    {
      yamux: { maxWindowBytes },
      wrap: (connection, side) =>
        counting(connection, (bytes) => {
          received[side] += bytes;
        }),
    },
  );
  const echo = createClient(EchoService, transport);
  const abort = new AbortController();
  if (direction === "down") {
    const answers = Promise.resolve(echo.serverStream({}, { signal: abort.signal }));
    return { answers, receivedBytes: () => received.client, end: () => abort.abort() };
  }
  echo.clientStream(messages(), { signal: abort.signal }).catch(() => {});
  return { answers: requests, receivedBytes: () => received.server, end: () => abort.abort() };
}

describe("W3.2 whoever does not read a stream of messages", () => {
  it.each([
    ["down", 65_536],
    ["up", 65_536],
    ["down", 100_000],
    ["up", 100_000],
  ] as const)(
    "holds no more than a window of it, what is ahead of its reader included (%s, %i bytes)",
    async (direction, size) => {
      const sizes = Array.from({ length: 20 }, () => size);
      const { answers, receivedBytes, end } = messagesOf(sizes, direction, windowBytes);
      const reader = (await answers)[Symbol.asyncIterator]();
      for (let taken = 1; taken <= sizes.length; taken++) {
        await reader.next();
        await settle(6);
        // a window is four messages at most, whose headers have come too
        const headers = (taken + 4) * headerBytes;
        expect(receivedBytes() - taken * size).toBeLessThanOrEqual(windowBytes + headers);
      }
      end();
    },
  );

  it("holds at most a window and 64 KiB of it, a large message counted by itself, and goes on where it was", {
    timeout: timeoutMs(60_000),
  }, async () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 3000 }),
      fc.integer({ min: 20_000, max: 70_000 }),
      fc.integer({ min: 70_000, max: 600_000 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { minLength: 1, maxLength: 40, size: "max" }),
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 40, size: "max" }),
        fc.constantFrom("down" as const, "up" as const),
        fc.constantFrom(windowBytes, 4 * windowBytes),
        async (sizes, takes, direction, maxWindowBytes) => {
          const { answers, receivedBytes, end } = messagesOf(sizes, direction, maxWindowBytes);
          const reader = (await answers)[Symbol.asyncIterator]();
          let taken = 0;
          let takenBytes = 0;
          for (let turn = 0; taken < sizes.length; turn++) {
            for (let i = takes[turn % takes.length] ?? 1; i > 0 && taken < sizes.length; i--) {
              const { value } = await reader.next();
              expect(value?.payload.length).toBe(sizes[taken]);
              expect(value?.payload.every((byte: number) => byte === taken)).toBe(true);
              takenBytes += sizes[taken++] ?? 0;
            }
            await settle(6);
            const larger = Math.max(...sizes) * 2 > windowBytes ? Math.max(...sizes) : 0;
            const held = receivedBytes() - takenBytes - headerBytes * sizes.length;
            expect(held).toBeLessThanOrEqual(maxWindowBytes + 64 * 1024 + larger);
          }
          end();
        },
      ),
      runs(60),
    );
  });
});
