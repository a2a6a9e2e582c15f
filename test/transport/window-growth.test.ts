import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Flag, FrameType, headerBytes, writeHeader } from "../../src/codec/index.js";
import {
  createYamuxSession,
  type SessionOptions,
  type YamuxSession,
  type YamuxStream,
} from "../../src/transport/index.js";
import { ScriptedConnection, settle } from "../support/scripted-connection.js";

const kib = 1024;
const mib = 1024 * kib;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A session whose peer sends what a test says, on streams that the session opened. */
class Receiving {
  readonly session: YamuxSession;
  readonly #connection = new ScriptedConnection();
  #pings = 0;

  constructor(options: Partial<SessionOptions> = {}) {
    this.session = createYamuxSession(this.#connection, {
      role: "client",
      keepAliveIntervalMs: 0,
      ...options,
    });
    onTestFinished(() => this.session.close());
  }

  /** A stream whose reader takes all that comes, unless told to take less. */
  open(takes: (bytes: Uint8Array) => number = (bytes) => bytes.length): YamuxStream {
    const stream = this.session.tryOpen();
    if (stream === undefined) throw new Error("no room for a stream");
    stream.setReceiver({ onData: takes, onEnd() {}, onEndAhead() {}, onReset() {}, onWritable() {} });
    return stream;
  }

  /** So much arrives, in frames of at most 64 KiB. */
  receive(stream: YamuxStream, bytes: number): void {
    for (let rest = bytes; rest > 0; rest -= 64 * kib) {
      const frame = new Uint8Array(headerBytes + Math.min(rest, 64 * kib));
      writeHeader(frame, 0, FrameType.Data, 0, stream.id, frame.length - headerBytes);
      this.#connection.feed(frame);
    }
  }

  /** All pings that were sent are answered. */
  async answerPings(): Promise<void> {
    await settle();
    for (; this.#pings < this.pingCount; this.#pings++) {
      const frame = new Uint8Array(headerBytes);
      writeHeader(frame, 0, FrameType.Ping, Flag.Ack, 0, this.#pings);
      this.#connection.feed(frame);
    }
  }

  /** How often the session has asked for the round trip. */
  get pingCount(): number {
    return this.#connection.frames.filter((frame) => frame.startsWith("Ping[SYN]")).length;
  }

  end(stream: YamuxStream): void {
    const frame = new Uint8Array(headerBytes);
    writeHeader(frame, 0, FrameType.WindowUpdate, Flag.Rst, stream.id, 0);
    this.#connection.feed(frame);
  }

  /** What the session gave back on each stream. */
  async credits(): Promise<string[]> {
    await settle();
    const isCredit = (frame: string) => frame.startsWith("WindowUpdate[] ");
    return this.#connection.frames.filter(isCredit).map((frame) => frame.replace("WindowUpdate[] ", ""));
  }
}

/** Half a window after the other, each `everyMs` after the one before. */
function readHalves(peer: Receiving, stream: YamuxStream, count: number, everyMs: number): number[] {
  return Array.from({ length: count }, () => {
    vi.advanceTimersByTime(everyMs);
    peer.receive(stream, stream.flow.window / 2);
    return stream.flow.window;
  });
}

describe("a window", () => {
  it("doubles near by for each half that is read within a quarter of a millisecond, up to 1 MiB, and the peer is told with the credit", async () => {
    const peer = new Receiving();
    const stream = peer.open();
    await settle();
    expect(readHalves(peer, stream, 5, 0)).toEqual([256 * kib, 512 * kib, mib, mib, mib]);
    expect(await peer.credits()).toEqual([
      `stream=1 length=${128 * kib}`,
      `stream=1 length=${(128 + 256) * kib}`,
      `stream=1 length=${(256 + 512) * kib}`,
      `stream=1 length=${512 * kib}`,
      `stream=1 length=${512 * kib}`,
    ]);
    expect(stream.flow.receiveWindow).toBe(mib);
  });

  it("may be used by the peer as soon as it has been given, and not beyond", () => {
    const peer = new Receiving();
    const stream = peer.open();
    readHalves(peer, stream, 3, 0);
    const stopped = peer.open(() => 0);
    peer.receive(stream, mib);
    expect(peer.session.error).toBeUndefined();
    peer.receive(stopped, 256 * kib);
    expect(peer.session.error).toBeUndefined();
    peer.receive(stopped, 1);
    expect(peer.session.error?.message).toMatch(
      /stream 3: a frame of 1 bytes is more than its window allows/,
    );
  });

  it("doubles for each half that is read within one and a quarter round trips, as a ping has had them", async () => {
    const peer = new Receiving();
    const roundTrip = peer.session.ping();
    vi.advanceTimersByTime(100);
    await peer.answerPings();
    expect(await roundTrip).toBe(100);
    const stream = peer.open();
    await settle();
    expect(readHalves(peer, stream, 4, 125)).toEqual([256 * kib, 512 * kib, mib, mib]);
  });

  it("stays as it is where half of it takes longer, for then the window is not what limits the stream", async () => {
    const peer = new Receiving();
    const roundTrip = peer.session.ping();
    vi.advanceTimersByTime(100);
    await peer.answerPings();
    await roundTrip;
    const stream = peer.open();
    await settle();
    expect(new Set(readHalves(peer, stream, 6, 126))).toEqual(new Set([256 * kib]));
  });

  it("has the round trip measured when half of a first one has been read, once in a session", async () => {
    const peer = new Receiving();
    const streams = [peer.open(), peer.open()];
    await settle();
    for (const stream of streams) readHalves(peer, stream, 1, 5);
    await settle();
    expect(peer.pingCount).toBe(1);
    for (const stream of streams) expect(readHalves(peer, stream, 1, 5)).toEqual([256 * kib]);
    vi.advanceTimersByTime(10);
    await peer.answerPings();
    for (const stream of streams) expect(readHalves(peer, stream, 3, 5).at(-1)).toBe(mib);
    expect(peer.pingCount).toBe(1);
  });

  it("stays as it is near by where half of it takes longer than that, whatever the round trip", async () => {
    const peer = new Receiving();
    const roundTrip = peer.session.ping();
    vi.advanceTimersByTime(3);
    await peer.answerPings();
    expect(await roundTrip).toBe(3);
    const stream = peer.open();
    await settle();
    expect(new Set(readHalves(peer, stream, 6, 1))).toEqual(new Set([256 * kib]));
  });

  it("stays as it is near by in the middle of a message of more than half of it, and grows when that is over", async () => {
    const peer = new Receiving();
    const stream = peer.open();
    let heldBytes = 128 * kib;
    stream.setReceiver({
      onData: (bytes) => bytes.length,
      get heldBytes() {
        return heldBytes;
      },
      isBehind: false,
      onEnd() {},
      onEndAhead() {},
      onReset() {},
      onWritable() {},
    });
    await settle();
    expect(new Set(readHalves(peer, stream, 6, 0))).toEqual(new Set([256 * kib]));
    heldBytes = 0;
    expect(readHalves(peer, stream, 3, 0).at(-1)).toBe(mib);
  });

  it("follows the shortest round trip of several", async () => {
    const peer = new Receiving();
    for (const ms of [400, 40, 400]) {
      const roundTrip = peer.session.ping();
      vi.advanceTimersByTime(ms);
      await peer.answerPings();
      await roundTrip;
    }
    const stream = peer.open();
    await settle();
    expect(readHalves(peer, stream, 3, 51)).toEqual([256 * kib, 256 * kib, 256 * kib]);
    expect(readHalves(peer, stream, 1, 50)).toEqual([512 * kib]);
  });

  it("grows also where credit goes back in small parts", async () => {
    const peer = new Receiving();
    const roundTrip = peer.session.ping();
    vi.advanceTimersByTime(300);
    await peer.answerPings();
    await roundTrip;
    const stream = peer.open();
    await settle();
    readHalves(peer, stream, 1, 10);
    for (let i = 0; i < 24; i++) {
      peer.receive(stream, 16 * kib);
      vi.advanceTimersByTime(10);
    }
    expect(stream.flow.window).toBe(mib);
  });

  it("stays as it is where the reader is behind, and not the peer", () => {
    const peer = new Receiving();
    let mayTake = 0;
    const stream = peer.open((bytes) => {
      const taken = Math.min(mayTake, bytes.length);
      mayTake -= taken;
      return taken;
    });
    peer.receive(stream, 256 * kib);
    for (let i = 0; i < 8; i++) {
      vi.advanceTimersByTime(1);
      mayTake = 128 * kib;
      stream.resume();
      peer.receive(stream, 128 * kib);
    }
    expect(stream.flow).toMatchObject({ window: 256 * kib, unread: 256 * kib });
  });

  it("never grows where maxWindowBytes is that of the beginning, or less", async () => {
    const fixed = new Receiving({ maxWindowBytes: 256 * kib });
    expect(new Set(readHalves(fixed, fixed.open(), 4, 0))).toEqual(new Set([256 * kib]));
    const wide = new Receiving({ windowBytes: 2 * mib });
    const stream = wide.open();
    await settle();
    expect(new Set(readHalves(wide, stream, 4, 0))).toEqual(new Set([2 * mib]));
    expect(stream.flow.receiveWindow).toBe(2 * mib);
  });

  it("reaches a maxWindowBytes that is no power of two", () => {
    const peer = new Receiving({ maxWindowBytes: 700_000 });
    expect(readHalves(peer, peer.open(), 4, 0)).toEqual([256 * kib, 512 * kib, 700_000, 700_000]);
  });

  it("grows while all streams together have grown by less than 16 times maxWindowBytes, and again when one ends", () => {
    const peer = new Receiving({ maxWindowBytes: 512 * kib });
    const streams = Array.from({ length: 40 }, () => peer.open());
    for (const stream of streams) readHalves(peer, stream, 2, 0);
    const grown = streams.filter((stream) => stream.flow.window === 512 * kib);
    expect(grown).toHaveLength(32);
    const [first] = grown;
    const late = streams.find((stream) => stream.flow.window === 256 * kib);
    if (first === undefined || late === undefined) throw new Error("the limit was not met");
    peer.end(first);
    expect(readHalves(peer, late, 2, 0).at(-1)).toBe(512 * kib);
    expect(readHalves(peer, peer.open(), 3, 0)).toEqual([256 * kib, 256 * kib, 256 * kib]);
  });
});
