import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Flag, FrameType, headerBytes } from "../../src/codec/index.js";
import type { ByteConnection } from "../../src/transport/index.js";
import { Outbox } from "../../src/transport/yamux/outbox.js";
import { runs } from "../support/scale.js";
import { dataOf } from "../support/scripted-connection.js";

/** A connection that looks at bytes until they have left, and then says so. */
class SlowConnection implements ByteConnection {
  readonly name = "slow";
  readonly #waiting: { bytes: Uint8Array; asWritten: Buffer }[] = [];
  /** All buffers that were written from. */
  readonly buffers = new Set<ArrayBufferLike>();
  /** All messages, as they were written. */
  readonly messages: Buffer[] = [];

  constructor(readonly releasesMemory: boolean) {}

  get bufferedBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  attach(): void {}

  write(bytes: Uint8Array): void {
    this.buffers.add(bytes.buffer);
    const asWritten = Buffer.from(bytes);
    this.messages.push(asWritten);
    this.#waiting.push({ bytes, asWritten });
  }

  /** What is still looked at must be as it was written. */
  check(): void {
    for (const { bytes, asWritten } of this.#waiting) expect(asWritten.equals(bytes)).toBe(true);
  }

  /** So many messages leave. */
  letGo(count: number): void {
    this.check();
    this.#waiting.splice(0, count);
  }

  pauseReading(): void {}
  resumeReading(): void {}
  close(): void {}
  abort(): void {}
}

const limits = { maxMessageBytes: 4096, sendBufferBytes: 16_384 };
const owner = { beforeFlush() {}, afterFlush() {} };

function writeFrame(outbox: Outbox, length: number, fill: number, stream = 1): void {
  const at = outbox.data(0, stream, length);
  outbox.memory.fill(fill, at, at + length);
}

/** Enough flushes for slabs of its own that are kept. */
function makeBusy(outbox: Outbox, connection: SlowConnection): void {
  for (let i = 0; i < 40; i++) {
    writeFrame(outbox, 4000, i);
    outbox.flush();
    connection.letGo(1);
  }
}

describe("memory of what is sent", () => {
  it("is used again once it has left, and takes no more then", () => {
    const connection = new SlowConnection(true);
    const outbox = new Outbox(connection, limits, owner);
    makeBusy(outbox, connection);
    const before = connection.buffers.size;
    for (let i = 0; i < 1000; i++) {
      writeFrame(outbox, 4000, i);
      outbox.flush();
      if (i % 2 === 1) connection.letGo(2);
    }
    expect(connection.buffers.size - before).toBeLessThanOrEqual(1);
  });

  it("is used again at once where nothing waits", () => {
    const connection = new SlowConnection(true);
    Object.defineProperty(connection, "bufferedBytes", { value: 0 });
    const outbox = new Outbox(connection, limits, owner);
    const places = new Set<number>();
    for (let i = 0; i < 100; i++) {
      const at = outbox.data(0, 1, 4000);
      if (i > 50) places.add(at);
      outbox.flush();
    }
    expect([...places]).toEqual([headerBytes]);
  });

  it("is never used again where the connection does not say when it has left", () => {
    const connection = new SlowConnection(false);
    const outbox = new Outbox(connection, limits, owner);
    makeBusy(outbox, connection);
    const before = connection.buffers.size;
    for (let i = 0; i < 1000; i++) {
      writeFrame(outbox, 4000, i);
      outbox.flush();
      connection.letGo(1);
    }
    expect(connection.buffers.size - before).toBeGreaterThan(200);
  });

  it("does not change before it has left, whatever is written and whenever it leaves", () => {
    const write = fc.record({
      write: fc.integer({ min: 0, max: 4084 }),
      times: fc.integer({ min: 1, max: 30 }),
      stream: fc.constantFrom(1, 1, 3),
    });
    const control = fc.constant({ control: true });
    const leave = fc.record({ leave: fc.integer({ min: 1, max: 40 }) });
    const flush = fc.constant({ flush: true });
    const idle = fc.constant({ idle: true });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(write, write, leave, flush, idle, control), { maxLength: 200 }),
        fc.boolean(),
        (steps, isBusy) => {
          const connection = new SlowConnection(true);
          const outbox = new Outbox(connection, limits, owner);
          if (isBusy) makeBusy(outbox, connection);
          connection.messages.length = 0;
          const data = new Map<number, Buffer[]>();
          let written = 0;
          for (const step of steps) {
            if ("write" in step) {
              const { stream } = step;
              const ofStream = data.get(stream) ?? [];
              data.set(stream, ofStream);
              for (let i = 0; i < step.times; i++) {
                ofStream.push(Buffer.alloc(step.write, written));
                writeFrame(outbox, step.write, written++, stream);
              }
            } else if ("control" in step) outbox.frame(FrameType.Ping, Flag.Syn, 0, 7);
            else if ("leave" in step) connection.letGo(step.leave);
            else if ("flush" in step) outbox.flush();
            else outbox.releaseIfIdle();
            connection.check();
          }
          outbox.flush();
          const all = Buffer.concat(connection.messages);
          for (const [stream, sent] of data)
            expect(dataOf(all, stream).equals(Buffer.concat(sent))).toBe(true);
          for (const message of connection.messages) {
            expect(message.length).toBeLessThanOrEqual(limits.maxMessageBytes);
          }
        },
      ),
      runs(300),
    );
  });
});
