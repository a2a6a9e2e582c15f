import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  createMemoryPair,
  createYamuxSession,
  PulledStream,
  TransportError,
  type YamuxSession,
  type YamuxStream,
} from "../../src/transport/index.js";
import { recut } from "../support/recut-connection.js";
import { runs, timeoutMs } from "../support/scale.js";
import { settle } from "../support/scripted-connection.js";

/** One side's end of a stream in the model: what it has sent, what it has read, how it has ended. */
interface End {
  stream: YamuxStream | undefined;
  /** Made for the first read. */
  pulled?: PulledStream;
  sent: number;
  read: number;
  hasClosed: boolean;
  hasReset: boolean;
}

type Side = 0 | 1;
type Command =
  | { do: "open"; side: Side }
  | { do: "write"; side: Side; stream: number; bytes: number }
  | { do: "read"; side: Side; stream: number }
  | { do: "close"; side: Side; stream: number }
  | { do: "reset"; side: Side; stream: number }
  | { do: "ping"; side: Side }
  | { do: "wait" };

const side = fc.constantFrom<Side>(0, 1);
const stream = fc.nat({ max: 7 });
const bytes = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 2000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 10_000, max: 120_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 200_000, max: 700_000 }) },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("open" as const), side }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("write" as const), side, stream, bytes }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("read" as const), side, stream }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("close" as const), side, stream }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const), side, stream }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("ping" as const), side }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const) }) },
);

/** The byte at a place of a direction: any loss, repetition or mix-up shows. */
function byteAt(id: number, from: Side, at: number): number {
  return (at * 31 + id * 7 + from * 101 + (at >> 8)) & 0xff;
}

class Program {
  readonly sessions: [YamuxSession, YamuxSession];
  readonly streams: { id: number; ends: [End, End] }[] = [];
  readonly #byId = new Map<number, [End, End]>();
  readonly failures: unknown[] = [];
  readonly #windows: { windowBytes: number; maxWindowBytes: number };

  constructor(
    cuts: [number[], number[]],
    windows: { windowBytes: number; maxWindowBytes: number },
    maxMessageBytes: number,
  ) {
    this.#windows = windows;
    const [a, b] = createMemoryPair();
    const make = (from: Side) =>
      createYamuxSession(recut(from === 0 ? a : b, cuts[from]), {
        role: from === 0 ? "client" : "server",
        keepAliveIntervalMs: 0,
        ...windows,
        maxMessageBytes,
        onStream: (accepted) => {
          const ends = this.#byId.get(accepted.id);
          if (ends === undefined) this.failures.push(`stream ${accepted.id} was never opened`);
          else ends[from].stream = accepted;
        },
      });
    this.sessions = [make(0), make(1)];
  }

  async run(command: Command): Promise<void> {
    if (command.do === "wait") return settle(2);
    if (command.do === "ping") return void (await this.sessions[command.side].ping());
    if (command.do === "open") return this.#open(command.side);
    const found = this.streams[command.stream % Math.max(1, this.streams.length)];
    const end = found?.ends[command.side];
    if (found === undefined || end?.stream === undefined || end.hasReset) return;
    if (command.do === "write") this.#write(found.id, command.side, end, command.bytes);
    else if (command.do === "read") await this.#read(found.id, command.side, end, 1);
    else if (command.do === "close") {
      end.stream.closeWrite();
      end.hasClosed = true;
    } else {
      end.stream.reset();
      end.hasReset = true;
    }
  }

  #open(from: Side): void {
    const opened = this.sessions[from].tryOpen();
    if (opened === undefined) throw new Error("no room to open");
    const blank = (): End => ({ stream: undefined, sent: 0, read: 0, hasClosed: false, hasReset: false });
    const ends: [End, End] = [blank(), blank()];
    ends[from].stream = opened;
    this.streams.push({ id: opened.id, ends });
    this.#byId.set(opened.id, ends);
  }

  #write(id: number, from: Side, end: End, count: number): void {
    if (end.hasClosed || end.stream === undefined || !end.stream.isAlive) return;
    const data = Buffer.alloc(count);
    for (let i = 0; i < count; i++) data[i] = byteAt(id, from, end.sent + i);
    end.sent += count;
    end.stream.send([data.subarray(0, count >> 1), data.subarray(count >> 1)]);
  }

  /** Reads what is there, at most so many pieces. */
  async #read(id: number, by: Side, end: End, pieces: number): Promise<void> {
    const from: Side = by === 0 ? 1 : 0;
    for (let i = 0; i < pieces && end.stream !== undefined && end.stream.flow.unread > 0; i++) {
      end.pulled ??= new PulledStream(end.stream);
      const data = await end.pulled.read();
      for (const byte of data ?? []) {
        if (byte !== byteAt(id, from, end.read)) {
          this.failures.push(`stream ${id}: byte ${end.read} of side ${from} is wrong`);
          return;
        }
        end.read++;
      }
    }
  }

  /** Reads everything until nothing moves any more. */
  async drain(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      const before = this.streams.map(({ ends }) => ends.map((e) => e.read)).join();
      for (const { id, ends } of this.streams) {
        await this.#read(id, 0, ends[0], 1000);
        await this.#read(id, 1, ends[1], 1000);
      }
      await settle(4);
      quiet = this.streams.map(({ ends }) => ends.map((e) => e.read)).join() === before ? quiet + 1 : 0;
    }
  }

  /** Until credit that is given a moment later has arrived. */
  async creditSettled(): Promise<void> {
    for (let i = 0; i < 100 && !this.#sidesAgree(); i++) await pause(2);
  }

  #sidesAgree(): boolean {
    return this.streams.every(({ ends: [a, b] }) =>
      [
        [a, b],
        [b, a],
      ].every(
        ([sender, receiver]) =>
          sender?.hasClosed === true ||
          sender?.stream?.isAlive !== true ||
          receiver?.stream?.isAlive !== true ||
          sender.stream.flow.sendWindow === receiver.stream.flow.receiveWindow,
      ),
    );
  }

  /** What must hold when all has been read and nothing is under way. */
  check(): void {
    expect(this.failures).toEqual([]);
    expect(this.sessions.map((s) => s.error)).toEqual([undefined, undefined]);
    for (const { id, ends } of this.streams) {
      const wasReset = ends.some((end) => end.hasReset);
      for (const from of [0, 1] as const) {
        const sender = ends[from];
        const receiver = ends[from === 0 ? 1 : 0];
        if (wasReset) {
          expect(receiver.read).toBeLessThanOrEqual(sender.sent);
          continue;
        }
        expect(receiver.read, `stream ${id}: all that side ${from} sent has been read`).toBe(sender.sent);
        if (sender.hasClosed || sender.stream === undefined || receiver.stream === undefined) continue;
        const flow = receiver.stream.flow;
        expect(flow.receiveWindow + flow.credit + flow.unread, `stream ${id}: window of the receiver`).toBe(
          flow.window,
        );
        const { windowBytes, maxWindowBytes } = this.#windows;
        expect(flow.window, `stream ${id}: its window grows within limits`).toBeGreaterThanOrEqual(
          windowBytes,
        );
        expect(flow.window).toBeLessThanOrEqual(Math.max(windowBytes, maxWindowBytes));
        expect(sender.stream.flow.sendWindow, `stream ${id}: the sides agree`).toBe(flow.receiveWindow);
      }
    }
  }

  /** Ends every stream; none may be left on either side. */
  async finish(): Promise<void> {
    for (const { ends } of this.streams) for (const end of ends) end.stream?.closeWrite();
    await this.drain();
    expect(this.sessions.map((s) => s.streamCount)).toEqual([0, 0]);
    await Promise.all(this.sessions.map((s) => s.close()));
  }
}

/** Notes how much came on a stream. */
async function collect(stream: YamuxStream, counts: number[]): Promise<void> {
  let count = 0;
  for await (const bytes of new PulledStream(stream)) count += bytes.length;
  counts.push(count);
  stream.closeWrite();
}

describe("W3.2 random programs on both sides", () => {
  it("lose nothing, mix nothing up, never stall, and keep the sums of credit", {
    timeout: timeoutMs(60_000),
  }, async () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1000, max: 70_000 })),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 1, maxLength: 60, size: "max" }),
        fc.tuple(sizes, sizes),
        fc.record({
          windowBytes: fc.constantFrom(256 * 1024, 1024 * 1024),
          maxWindowBytes: fc.constantFrom(256 * 1024, 400_000, 1024 * 1024),
        }),
        fc.constantFrom(4 * 1024, 64 * 1024, 256 * 1024),
        async (commands, cuts, windows, maxMessageBytes) => {
          const program = new Program(cuts, windows, maxMessageBytes);
          for (const c of commands) await program.run(c);
          await program.drain();
          await program.creditSettled();
          program.check();
          await program.finish();
        },
      ),
      runs(60),
    );
  });

  it("do not end with both sides waiting for the other to read, whatever the limits", async () => {
    const limits = { maxMessageBytes: 256 * 1024, sendBufferBytes: 64 * 1024, windowBytes: 1024 * 1024 };
    const [a, b] = createMemoryPair();
    const onStream = (accepted: YamuxStream) => void collect(accepted, counts);
    const counts: number[] = [];
    const client = createYamuxSession(a, { role: "client", ...limits, onStream });
    const server = createYamuxSession(b, { role: "server", ...limits, onStream });
    for (const session of [client, server]) {
      for (let i = 0; i < 8; i++) {
        const opened = await session.open();
        opened.send([new Uint8Array(900_000)]);
        opened.closeWrite();
      }
    }
    await vi.waitFor(() => expect(counts).toHaveLength(16), 10_000);
    expect(new Set(counts)).toEqual(new Set([900_000]));
    await Promise.all([client.close(), server.close()]);
  });

  it("end every wait with the same reason when the connection breaks at any moment", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 1, maxLength: 30, size: "max" }),
        fc.nat({ max: 5 }),
        async (commands, ticks) => {
          const [a, b] = createMemoryPair();
          const client = createYamuxSession(a, { role: "client" });
          const server = createYamuxSession(b, { role: "server" });
          const waits: Promise<unknown>[] = [client.accept(), server.accept(), client.ping()];
          for (const c of commands) {
            if (c.do !== "write" && c.do !== "open") continue;
            const opened = (c.side === 0 ? client : server).tryOpen();
            if (opened === undefined) continue;
            const stream = new PulledStream(opened);
            waits.push(stream.write(Buffer.alloc(400_000)), stream.read());
          }
          // accepting serves a few, reading none
          for (let i = 0; i < ticks; i++) await settle(1);
          const outcomes = Promise.allSettled(waits);
          a.abort();
          for (const outcome of await outcomes) {
            if (outcome.status === "fulfilled") continue;
            expect(outcome.reason).toBeInstanceOf(TransportError);
            expect([client.error, server.error]).toContain(outcome.reason);
          }
          expect((await client.closed).code).toBe("closed-locally");
          expect((await server.closed).code).toBe("connection-lost");
          expect([client.streamCount, server.streamCount]).toEqual([0, 0]);
        },
      ),
      runs(100),
    );
  });
});
