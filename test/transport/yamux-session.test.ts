import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Flag, FrameType, headerBytes, writeHeader } from "../../src/codec/index.js";
import {
  closedByPeer,
  createMemoryPair,
  createYamuxSession,
  PulledStream,
  type SessionOptions,
  type StreamReceiver,
  type TransportError,
  type YamuxSession,
  type YamuxStream,
} from "../../src/transport/index.js";
import { dataOf, ScriptedConnection, settle } from "../support/scripted-connection.js";

function header(type: number, flags: number, streamId: number, length: number): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  writeHeader(bytes, 0, type, flags, streamId, length);
  return bytes;
}

function data(flags: number, streamId: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([header(FrameType.Data, flags, streamId, body.length), body]);
}

function start(options: Partial<SessionOptions> = {}): [YamuxSession, ScriptedConnection] {
  const connection = new ScriptedConnection();
  const session = createYamuxSession(connection, { role: "client", keepAliveIntervalMs: 0, ...options });
  onTestFinished(() => session.close());
  return [session, connection];
}

function openNow(session: YamuxSession): YamuxStream {
  const stream = session.tryOpen();
  if (stream === undefined) throw new Error("no room for a stream");
  return stream;
}

/** The data frames that were written, in words. */
function dataFrames(connection: ScriptedConnection): string[] {
  return connection.frames.filter((frame) => frame.startsWith("Data"));
}

/** The same with all other frames, but pings. */
function framesOfStreams(connection: ScriptedConnection): string[] {
  return connection.frames.filter((frame) => !frame.startsWith("Ping"));
}

/** How much data of a stream was written. */
function bytesOf(connection: ScriptedConnection, stream: number): number {
  return dataOf(Buffer.concat(connection.written), stream).length;
}

/** A receiver that takes everything and notes it. */
function taker(): StreamReceiver & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    onData(bytes) {
      log.push(`data ${Buffer.from(bytes)}`);
      return bytes.length;
    },
    onEnd: () => log.push("end"),
    onEndAhead: () => log.push("end ahead"),
    onReset: (error: TransportError) => log.push(`reset ${error.code}`),
    onWritable: () => log.push("writable"),
  };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("W2.2 frames of one tick", () => {
  it("are each session's own, where many sessions write in one tick", async () => {
    const sessions = Array.from({ length: 40 }, () => start());
    const sizes = [10, 1_000, 5_000, 20_000];
    for (let round = 0; round < 3; round++) {
      for (const [i, [session]] of sessions.entries()) {
        openNow(session).send([Buffer.alloc(sizes[(i + round) % sizes.length] ?? 0, i)]);
      }
      await settle();
    }
    for (const [i, [, connection]] of sessions.entries()) {
      const all = Buffer.concat(connection.written);
      for (let round = 0; round < 3; round++) {
        const size = sizes[(i + round) % sizes.length] ?? 0;
        expect(dataOf(all, 2 * round + 1).equals(Buffer.alloc(size, i))).toBe(true);
      }
    }
  });

  it("leave in one message", async () => {
    const [session, connection] = start();
    for (let i = 0; i < 40; i++) openNow(session).send([Buffer.from(`call ${i}`)]);
    await settle();
    expect(connection.written).toHaveLength(1);
    expect(connection.frames).toHaveLength(40);
    expect(connection.frames[3]).toBe("Data[SYN] stream=7 length=6");
  });

  it("leave in messages of at most 64 KiB, none with less than it could have", async () => {
    const [session, connection] = start();
    for (let i = 0; i < 20; i++) openNow(session).send([Buffer.alloc(10_000)]);
    await settle();
    const sizes = connection.written.map((message) => message.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
    expect(sizes.length).toBe(Math.ceil((20 * (10_000 + headerBytes)) / (64 * 1024)));
  });

  it.each([4 * 1024, 256 * 1024])("keep to a limit of %i bytes", async (maxMessageBytes) => {
    const [session, connection] = start({ maxMessageBytes });
    openNow(session).send([Buffer.alloc(250_000)]);
    await settle();
    expect(Math.max(...connection.written.map((m) => m.length))).toBeLessThanOrEqual(maxMessageBytes);
    expect(dataOf(Buffer.concat(connection.written), 1)).toHaveLength(250_000);
  });

  it("do not wait for a timer, or for what else the event loop has to do", async () => {
    const [session, connection] = start();
    const later = new Promise<number>((resolve) => setImmediate(() => resolve(connection.written.length)));
    openNow(session).send([Buffer.from("x")]);
    expect(await later).toBe(1);
  });

  it("leave together where each waits for promises after the one before", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    async function* answers() {
      for (let i = 0; i < 50; i++) yield Buffer.from(`answer ${i}`);
    }
    for await (const answer of answers()) stream.send([answer]);
    await settle();
    expect(connection.written).toHaveLength(1);
    const all = Array.from({ length: 50 }, (_, i) => `answer ${i}`).join("");
    expect(dataOf(Buffer.concat(connection.written), 1).toString()).toBe(all);
  });

  it("are one where they carry data of one stream and nothing comes between them", async () => {
    const [session, connection] = start();
    const [a, b] = [openNow(session), openNow(session)];
    for (const text of ["1", "22", "333"]) a.send([Buffer.from(text)]);
    b.send([Buffer.from("4")]);
    a.send([Buffer.from("5")]);
    a.send([Buffer.from("6")]);
    b.closeWrite();
    a.send([Buffer.from("7")]);
    await settle();
    a.send([Buffer.from("8")]);
    await settle();
    expect(connection.frames).toEqual([
      "Data[SYN] stream=1 length=6",
      "Data[SYN] stream=3 length=1",
      "Data[] stream=1 length=2",
      "WindowUpdate[FIN] stream=3 length=0",
      "Data[] stream=1 length=1",
      "Data[] stream=1 length=1",
    ]);
    expect(dataOf(Buffer.concat(connection.written), 1).toString()).toBe("12233356" + "78");
  });

  it("are refused a limit out of range, at once", () => {
    expect(() => start({ maxMessageBytes: 1024 })).toThrow(
      "yamux: maxMessageBytes is 1024; it must be a whole number from 4096 to 262144",
    );
    expect(() => start({ windowBytes: 1 })).toThrow(RangeError);
    expect(() => start({ pingTimeoutMs: Number.NaN })).toThrow(RangeError);
  });
});

describe("W3.2 opening", () => {
  it("says SYN on the first data, or at the end of the tick", async () => {
    const [session, connection] = start();
    openNow(session).send([Buffer.from("now")]);
    openNow(session);
    await settle();
    expect(connection.frames).toEqual(["Data[SYN] stream=1 length=3", "WindowUpdate[SYN] stream=3 length=0"]);
  });

  it("says nothing of a stream that is reset in the tick in which it was opened", async () => {
    const [session, connection] = start();
    openNow(session).reset();
    await settle();
    expect(connection.frames).toEqual([]);
    expect(session.streamCount).toBe(0);
  });

  it("opens a stream only to read it: SYN and FIN in one frame", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    stream.closeWrite();
    await settle();
    expect(connection.frames).toEqual(["WindowUpdate[SYN|FIN] stream=1 length=0"]);
    connection.feed(data(Flag.Ack | Flag.Fin, 1, Buffer.from("hello")));
    const pulled = new PulledStream(stream);
    expect(Buffer.from((await pulled.read()) ?? []).toString()).toBe("hello");
    expect(await pulled.read()).toBeUndefined();
    expect(session.streamCount).toBe(0);
  });

  it("says ACK on the first data of the answer, or at the end of the tick", async () => {
    const [, connection] = start({
      role: "server",
      onStream: (stream) => {
        if (stream.id === 1) stream.send([Buffer.from("answer")]);
      },
    });
    connection.feed(
      Buffer.concat([data(Flag.Syn, 1, Buffer.from("q")), data(Flag.Syn, 3, Buffer.from("q"))]),
    );
    await settle();
    expect(connection.frames).toEqual(["Data[ACK] stream=1 length=6", "WindowUpdate[ACK] stream=3 length=0"]);
    expect(connection.written).toHaveLength(1);
  });

  it("announces a window of 1 MiB with SYN and with ACK, ahead of data", async () => {
    const windowBytes = 1024 * 1024;
    const [client, ours] = start({ windowBytes });
    openNow(client).send([Buffer.from("x")]);
    await settle();
    expect(ours.frames).toEqual(["WindowUpdate[SYN] stream=1 length=786432", "Data[] stream=1 length=1"]);
    const [, theirs] = start({
      role: "server",
      windowBytes,
      onStream: (stream) => void stream.send([Buffer.from("y")]),
    });
    theirs.feed(header(FrameType.WindowUpdate, Flag.Syn, 1, 0));
    await settle();
    expect(theirs.frames).toEqual(["WindowUpdate[ACK] stream=1 length=786432", "Data[] stream=1 length=1"]);
  });

  it("stops at 256 streams that the peer has not acknowledged, and goes on as it does (W7.2c)", async () => {
    const [session, connection] = start();
    const opened: YamuxStream[] = [];
    const waiting = Array.from({ length: 300 }, async () => opened.push(await session.open()));
    await settle();
    expect(opened).toHaveLength(256);
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack, 1, 0));
    connection.feed(data(0, 3, Buffer.from("data is as good as an ACK")));
    connection.feed(header(FrameType.WindowUpdate, Flag.Rst, 5, 0));
    await settle();
    expect(opened).toHaveLength(259);
    opened[100]?.reset();
    await settle();
    expect(opened).toHaveLength(260);
    await session.close();
    expect((await Promise.allSettled(waiting)).filter((w) => w.status === "rejected")).toHaveLength(40);
  });

  it("does not count a stream for ever that was ended before it was acknowledged (W7.5)", async () => {
    const [session, connection] = start({ maxUnacknowledgedStreams: 2 });
    for (let i = 0; i < 10; i++) {
      const stream = await session.open();
      stream.send([Buffer.from("x")]);
      stream.closeWrite();
      connection.feed(header(FrameType.WindowUpdate, Flag.Fin, stream.id, 0));
      expect(session.streamCount).toBe(0);
    }
  });

  it("waits for room when too many are open, until a signal says not to", async () => {
    const [session] = start({ maxStreams: 2 });
    const first = await session.open();
    await session.open();
    expect(session.tryOpen()).toBeUndefined();
    const abort = new AbortController();
    const given = session.open(abort.signal);
    const kept = session.open();
    abort.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    first.reset();
    expect((await kept).id).toBe(5);
  });

  it("refuses a caller when too many wait already", async () => {
    const [session] = start({ maxStreams: 1, maxWaitingOpens: 1 });
    await session.open();
    const waits = session.open();
    await expect(session.open()).rejects.toMatchObject({ code: "too-many-waiting", layer: "session" });
    await session.close();
    await expect(waits).rejects.toMatchObject({ code: "closed-locally" });
  });

  it("tells a refused stream from one that was reset", async () => {
    const [session, connection] = start();
    const refused = openNow(session);
    const reset = openNow(session);
    await settle();
    connection.feed(header(FrameType.WindowUpdate, Flag.Rst, refused.id, 0));
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack, reset.id, 0));
    connection.feed(header(FrameType.WindowUpdate, Flag.Rst, reset.id, 0));
    await expect(new PulledStream(refused).read()).rejects.toMatchObject({
      code: "stream-refused",
      streamId: 1,
    });
    await expect(new PulledStream(reset).read()).rejects.toMatchObject({ code: "stream-reset", streamId: 3 });
  });
});

describe("W3.2 accepting", () => {
  const syn = (id: number) => header(FrameType.WindowUpdate, Flag.Syn, id, 0);

  it("holds 256 streams that nobody accepts, and resets one more", async () => {
    const [session, connection] = start({ role: "server" });
    for (let i = 0; i < 258; i++) connection.feed(syn(1 + 2 * i));
    await settle();
    expect(connection.frames).toEqual([
      "WindowUpdate[RST] stream=513 length=0",
      "WindowUpdate[RST] stream=515 length=0",
    ]);
    expect((await session.accept()).id).toBe(1);
    await settle();
    expect(connection.frames.at(-1)).toBe("WindowUpdate[ACK] stream=1 length=0");
  });

  it("resets a stream beyond the most that may be open (W4.9)", async () => {
    const [session, connection] = start({ role: "server", maxStreams: 2, onStream: () => {} });
    for (const id of [1, 3, 5]) connection.feed(syn(id));
    await settle();
    expect(connection.frames).toContain("WindowUpdate[RST] stream=5 length=0");
    expect(session.streamCount).toBe(2);
  });

  it("skips streams that were reset while they waited", async () => {
    const [session, connection] = start({ role: "server" });
    connection.feed(Buffer.concat([syn(1), syn(3), header(FrameType.WindowUpdate, Flag.Rst, 1, 0)]));
    expect((await session.accept()).id).toBe(3);
  });

  it("drains what comes for streams it does not know (W3.2)", async () => {
    const [session, connection] = start({ role: "server", onStream: () => {} });
    connection.feed(data(0, 99, Buffer.alloc(600_000)));
    connection.feed(header(FrameType.WindowUpdate, Flag.Fin, 99, 0));
    connection.feed(header(FrameType.Ping, Flag.Syn, 0, 7));
    await settle();
    expect(session.error).toBeUndefined();
    expect(connection.frames).toEqual(["Ping[ACK] stream=0 length=7"]);
  });
});

describe("W3.2 windows", () => {
  it("gives credit back when half a window has been read, not when it has come", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const [session, connection] = start();
    const stream = new PulledStream(openNow(session));
    await settle();
    // each in memory of its own, so that they are read as they came
    for (let i = 0; i < 16; i++) connection.feed(new Uint8Array(data(0, 1, Buffer.alloc(16 * 1024))));
    await settle();
    expect(connection.frames).toEqual(["WindowUpdate[SYN] stream=1 length=0"]);
    let read = 0;
    while (read < 131_072 - 16 * 1024) read += (await stream.read())?.length ?? 0;
    await settle();
    expect(connection.frames).toHaveLength(1);
    await stream.read();
    await settle();
    expect(framesOfStreams(connection).slice(1)).toEqual(["WindowUpdate[] stream=1 length=131072"]);
  });

  it("gives less than half a window back in a moment, for a peer that has used its window up or soon will have", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const [session, connection] = start();
    const stream = openNow(session);
    stream.setReceiver(taker());
    await settle();
    connection.feed(data(Flag.Ack, 1, Buffer.alloc(140_000)));
    await settle();
    connection.feed(data(0, 1, Buffer.alloc(40_000)));
    await vi.advanceTimersByTimeAsync(3);
    connection.feed(data(0, 1, Buffer.alloc(2_000)));
    expect(framesOfStreams(connection).slice(1)).toEqual(["WindowUpdate[] stream=1 length=140000"]);
    await vi.advanceTimersByTimeAsync(3);
    expect(framesOfStreams(connection).slice(2)).toEqual(["WindowUpdate[] stream=1 length=42000"]);
    expect(stream.flow).toMatchObject({ receiveWindow: 262_144, credit: 0 });
    // but for the ping that a stream of half a window is worth
    connection.feed(header(FrameType.Ping, Flag.Ack, 0, 0));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gives nothing back in a moment on a stream on which little has come: most calls are over then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const [session, connection] = start();
    openNow(session).setReceiver(taker());
    connection.feed(data(Flag.Ack, 1, Buffer.alloc(40_000)));
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.frames).toEqual(["WindowUpdate[SYN] stream=1 length=0"]);
  });

  it("gives nothing back in a moment on a stream that it has ended: the peer may have forgotten it", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const [session, connection] = start();
    const stream = openNow(session);
    stream.setReceiver(taker());
    await settle();
    connection.feed(data(Flag.Ack, 1, Buffer.alloc(140_000)));
    connection.feed(data(0, 1, Buffer.alloc(40_000)));
    stream.closeWrite();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.frames.at(-1)).toBe("WindowUpdate[FIN] stream=1 length=0");
  });

  it("does not send a frame for a few bytes that were read", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const [session, connection] = start();
    const stream = openNow(session);
    stream.setReceiver(taker());
    connection.feed(data(Flag.Ack, 1, Buffer.alloc(1_000)));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.frames).toEqual(["WindowUpdate[SYN] stream=1 length=0"]);
    expect(stream.flow.credit).toBe(1_000);
  });

  it("lets a receiver take a part and pause: the rest stays, uncredited, until it resumes", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const [session, connection] = start();
    const stream = openNow(session);
    await settle();
    let most = 100_000;
    let taken = 0;
    stream.setReceiver({
      ...taker(),
      onData(bytes) {
        const take = Math.min(bytes.length, most - taken);
        taken += take;
        return take;
      },
    });
    connection.feed(data(0, 1, Buffer.alloc(200_000)));
    expect(taken).toBe(100_000);
    expect(stream.flow).toMatchObject({ unread: 100_000, credit: 100_000 });
    await settle();
    expect(connection.frames).toHaveLength(1);
    most = 200_000;
    stream.resume();
    const { unread, credit, receiveWindow } = stream.flow;
    expect(unread).toBe(0);
    expect(credit).toBeLessThan(131_072);
    expect(receiveWindow + credit).toBe(262_144);
    expect(taken).toBe(200_000);
  });

  it("sends no more than the peer's window, and goes on as the peer gives more", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    const receiver = taker();
    stream.setReceiver(receiver);
    expect(stream.send([Buffer.alloc(300_000)])).toBe(false);
    stream.closeWrite();
    await settle();
    expect(dataOf(Buffer.concat(connection.written), 1)).toHaveLength(262_144);
    expect(receiver.log).toEqual([]);
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack, 1, 10_000));
    await settle();
    expect(dataOf(Buffer.concat(connection.written), 1)).toHaveLength(272_144);
    connection.feed(header(FrameType.WindowUpdate, 0, 1, 100_000));
    await settle();
    expect(dataOf(Buffer.concat(connection.written), 1)).toHaveLength(300_000);
    expect(receiver.log).toEqual(["writable"]);
    expect(connection.frames.at(-1)).toBe("WindowUpdate[FIN] stream=1 length=0");
  });

  it("ends the session at the header of a frame that is too large, before its body", async () => {
    const [session, connection] = start({ role: "server", onStream: () => {} });
    connection.feed(header(FrameType.WindowUpdate, Flag.Syn, 1, 0));
    connection.feed(header(FrameType.Data, 0, 1, 300_000));
    expect(session.error).toMatchObject({
      code: "protocol-error",
      message: "yamux stream 1: a frame of 300000 bytes is more than its window allows",
    });
    expect(connection.frames.at(-1)).toBe("GoAway[] stream=0 length=1");
    expect(connection.closedWith).toEqual({ code: 1002, reason: session.error?.message });
  });

  it("holds little more than what is unread, however the peer cuts it", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    await settle();
    for (let i = 0; i < 2000; i++) {
      // one byte of ours in a large message of somebody else's
      const foreign = new Uint8Array(32 * 1024);
      foreign.set(data(0, 1, Buffer.from([i & 255])));
      foreign.set(header(FrameType.Data, 0, 99, foreign.length - 25), 13);
      connection.feed(foreign);
    }
    expect(stream.flow.unread).toBe(2000);
    const buffers = new Set<ArrayBufferLike>();
    const pulled = new PulledStream(stream);
    let read = 0;
    while (read < 2000) {
      const bytes = await pulled.read();
      read += bytes?.length ?? 0;
      if (bytes !== undefined) buffers.add(bytes.buffer);
    }
    const held = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
    expect(held).toBeLessThan(16 * 1024);
  });
});

describe("a stream that nobody wants any more", () => {
  it("ends with FIN when all has left", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    stream.send([Buffer.from("all")]);
    stream.finish();
    await settle();
    expect(connection.frames.at(-1)).toBe("WindowUpdate[FIN] stream=1 length=0");
    expect(stream.isAlive).toBe(true);
  });

  it("ends with RST when something is held back, at once", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    stream.send([Buffer.alloc(300_000)]);
    await settle();
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack | Flag.Fin, 1, 0));
    expect(stream.queuedBytes).toBeGreaterThan(0);
    stream.finish();
    await settle();
    expect(connection.frames.at(-1)).toBe("WindowUpdate[RST] stream=1 length=0");
    expect([session.streamCount, stream.queuedBytes]).toEqual([0, 0]);
  });
});

describe("back-pressure of the connection", () => {
  it("reaches the writer: nothing is framed while the connection has enough to send", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack, 1, 10_000_000));
    connection.bufferedBytes = 300_000;
    let isWritten = false;
    const writing = new PulledStream(stream).write(Buffer.alloc(1_000_000)).then(() => {
      isWritten = true;
    });
    await settle();
    const before = dataOf(Buffer.concat(connection.written), 1).length;
    // what has been begun is finished: one message more than enough
    expect(before).toBeLessThanOrEqual(2 * 64 * 1024);
    expect(stream.queuedBytes).toBe(1_000_000 - before);
    expect(isWritten).toBe(false);
    connection.drain();
    await writing;
    expect(dataOf(Buffer.concat(connection.written), 1)).toHaveLength(1_000_000);
  });

  it("does not hold back answers to pings, but stops reading when only those pile up", async () => {
    const [, connection] = start();
    connection.bufferedBytes = 300_000;
    connection.feed(header(FrameType.Ping, Flag.Syn, 0, 1));
    await settle();
    expect(connection.frames).toEqual(["Ping[ACK] stream=0 length=1"]);
    expect(connection.isReadingPaused).toBe(false);
    connection.bufferedBytes = 700_000;
    connection.feed(header(FrameType.Ping, Flag.Syn, 0, 2));
    await settle();
    expect(connection.isReadingPaused).toBe(true);
    connection.drain();
    expect(connection.isReadingPaused).toBe(false);
  });

  it("sends small data ahead of large data of other streams, of which 64 KiB at most has left at once", async () => {
    const [session, connection] = start();
    const large = openNow(session);
    large.send([Buffer.alloc(200_000)]);
    const small = openNow(session);
    small.send([Buffer.from("small")]);
    await settle();
    const order = dataFrames(connection);
    expect(order.slice(0, 3)).toEqual([
      "Data[SYN] stream=1 length=32756",
      "Data[] stream=1 length=32756",
      "Data[SYN] stream=3 length=5",
    ]);
    expect(order[3]).toMatch(/^Data\[] stream=1 /);
  });

  it("copies what cannot leave at once, where the memory of it is to be used again", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    const memory = Buffer.alloc(200_000, 1);
    const sent: Buffer[] = [];
    for (const fill of [1, 2, 3]) {
      memory.fill(fill);
      const length = 50_000 * fill;
      sent.push(Buffer.from(memory.subarray(0, length)));
      stream.send([memory.subarray(0, 10), memory.subarray(10, length)], true);
    }
    memory.fill(99);
    connection.feed(header(FrameType.WindowUpdate, 0, 1, 200_000));
    await settle();
    expect(dataOf(Buffer.concat(connection.written), 1).equals(Buffer.concat(sent))).toBe(true);
  });

  it("serves streams in turns that have much to send", async () => {
    const [session, connection] = start();
    for (let i = 0; i < 3; i++) openNow(session).send([Buffer.alloc(200_000, i)]);
    await settle();
    const order = dataFrames(connection).map((frame) => /stream=(\d)/.exec(frame)?.[1]);
    // the first one's first 64 KiB left at once
    expect(order.slice(0, 8)).toEqual(["1", "1", "1", "3", "5", "1", "3", "5"]);
  });

  it("gives the connection 64 KiB of large data, and the next when that has left, with small data in between", async () => {
    const [session, connection] = start();
    connection.holdsBack = true;
    const large = openNow(session);
    large.send([Buffer.alloc(200_000)]);
    await settle();
    const first = bytesOf(connection, 1);
    expect(first).toBeLessThanOrEqual(64 * 1024);
    const small = openNow(session);
    small.send([Buffer.from("small")]);
    await settle();
    expect(dataFrames(connection).at(-1)).toBe("Data[SYN] stream=3 length=5");
    expect(bytesOf(connection, 1)).toBe(first);
    connection.drain();
    await settle();
    expect(bytesOf(connection, 1)).toBeGreaterThan(first);
  });

  it("lets large data go on while small data keeps the connection full", async () => {
    const [session, connection] = start();
    connection.holdsBack = true;
    const large = openNow(session);
    large.send([Buffer.alloc(200_000)]);
    const small = openNow(session);
    await settle();
    const first = bytesOf(connection, 1);
    // behind the large data there are always 100 kB of small data
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 100; i++) small.send([Buffer.alloc(1000)]);
      await settle();
      connection.letGo(100_000);
      await settle();
    }
    expect(bytesOf(connection, 1)).toBeGreaterThan(first);
  });
});

describe("W3.3 pings", () => {
  it("end the session when nothing at all comes within the time-out, and say so to every waiter", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    const [session, connection] = start({ keepAliveIntervalMs: 30_000, pingTimeoutMs: 10_000 });
    const stream = openNow(session);
    const receiver = taker();
    stream.setReceiver(receiver);
    const accepting = session.accept();
    const failed = expect(accepting).rejects.toMatchObject({
      code: "ping-timeout",
      message: "yamux: the peer did not answer a ping within 10000 ms",
    });
    await vi.advanceTimersByTimeAsync(30_001);
    expect(connection.frames.at(-1)).toBe("Ping[SYN] stream=0 length=0");
    await vi.advanceTimersByTimeAsync(10_000);
    await failed;
    expect(receiver.log).toEqual(["reset ping-timeout"]);
    expect((await session.closed).code).toBe("ping-timeout");
    expect(connection.closedWith?.code).toBe(1001);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are not sent while something else arrives, and take anything that arrives as a sign of life", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
    const [session, connection] = start({ keepAliveIntervalMs: 1000, pingTimeoutMs: 500 });
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(900);
      connection.feed(header(FrameType.WindowUpdate, 0, 99, 1));
    }
    expect(connection.frames.filter((frame) => frame.startsWith("Ping")).length).toBeLessThanOrEqual(1);
    await vi.advanceTimersByTimeAsync(1200);
    connection.feed(header(FrameType.WindowUpdate, 0, 99, 1));
    await vi.advanceTimersByTimeAsync(600);
    expect(session.error).toBeUndefined();
  });

  it("measure the round trip", async () => {
    const [session, connection] = start();
    const ping = session.ping();
    await settle();
    connection.feed(header(FrameType.Ping, Flag.Ack, 0, 0));
    expect(await ping).toBeGreaterThan(0);
  });

  it("fail alone when asked for by hand: the session lives on", async () => {
    const [session] = start({ pingTimeoutMs: 20 });
    await expect(session.ping()).rejects.toMatchObject({ code: "ping-timeout" });
    expect(session.error).toBeUndefined();
  });
});

describe("W3.2 time-outs", () => {
  const fake = { toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] as const };

  it("reset a stream that the peer does not end, and keep the session", async () => {
    vi.useFakeTimers({ toFake: [...fake.toFake] });
    const [session, connection] = start({ streamCloseTimeoutMs: 300_000 });
    const stream = openNow(session);
    const receiver = taker();
    stream.setReceiver(receiver);
    stream.closeWrite();
    await vi.advanceTimersByTimeAsync(0);
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack, 1, 0));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(receiver.log).toEqual([]);
    await vi.advanceTimersByTimeAsync(80_000);
    expect(receiver.log).toEqual(["reset stream-reset"]);
    expect(stream.error?.message).toBe(
      "yamux stream 1: reset, because the peer did not end it within 300000 ms",
    );
    expect(connection.frames.at(-1)).toBe("WindowUpdate[RST] stream=1 length=0");
    expect(session.error).toBeUndefined();
  });

  it("end the session when a stream is never acknowledged", async () => {
    vi.useFakeTimers({ toFake: [...fake.toFake] });
    const [session] = start({ streamOpenTimeoutMs: 75_000 });
    openNow(session);
    await vi.advanceTimersByTimeAsync(75_000);
    expect(session.error).toBeUndefined();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(session.error).toMatchObject({
      code: "open-timeout",
      message: "yamux stream 1: the peer did not acknowledge it within 75000 ms",
    });
  });

  it("leave no timer behind when no stream is open", async () => {
    vi.useFakeTimers({ toFake: [...fake.toFake] });
    const [session, connection] = start();
    const stream = openNow(session);
    expect(vi.getTimerCount()).toBe(1);
    stream.closeWrite();
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack | Flag.Fin, 1, 0));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(session.streamCount).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the end of a session", () => {
  it("waits for open streams as long as asked, then closes with 1000", async () => {
    const [session, connection] = start({ role: "server", onStream: () => {} });
    connection.feed(header(FrameType.WindowUpdate, Flag.Syn, 1, 0));
    const closing = session.close(5_000);
    await settle();
    expect(connection.frames).toContain("GoAway[] stream=0 length=0");
    expect(connection.closedWith).toBeUndefined();
    connection.feed(header(FrameType.WindowUpdate, Flag.Syn, 3, 0));
    await settle();
    expect(connection.frames).toContain("WindowUpdate[RST] stream=3 length=0");
    connection.feed(header(FrameType.WindowUpdate, Flag.Rst, 1, 0));
    await closing;
    expect(connection.closedWith).toEqual({ code: 1000, reason: "" });
  });

  it("opens no more streams while it waits, and lets nobody wait for one", async () => {
    const [session, connection] = start({ maxStreams: 1 });
    const stream = openNow(session);
    const waiting = session.open();
    const closing = session.close(5_000);
    await expect(waiting).rejects.toMatchObject({ code: "closed-locally", layer: "session" });
    expect(() => session.tryOpen()).toThrow("takes no new streams");
    await expect(session.open()).rejects.toMatchObject({ code: "closed-locally" });
    await new PulledStream(stream).write(Buffer.from("still works"));
    connection.feed(header(FrameType.WindowUpdate, Flag.Ack | Flag.Rst, 1, 0));
    await closing;
  });

  it("does not wait longer than asked", async () => {
    const [session, connection] = start();
    const stream = openNow(session);
    await Promise.all([session.close(20), session.close(20)]);
    expect(connection.closedWith?.code).toBe(1000);
    await expect(new PulledStream(stream).read()).rejects.toMatchObject({ code: "closed-locally" });
  });

  it("gives every waiter the reason of the connection", async () => {
    const [session, connection] = start({ maxStreams: 1 });
    const stream = new PulledStream(openNow(session));
    const waits = [
      stream.read(),
      stream.write(Buffer.alloc(400_000)),
      session.accept(),
      session.open(),
      session.ping(),
    ];
    const outcomes = Promise.allSettled(waits);
    await settle();
    const end = closedByPeer("scripted", 1001, "server is going away");
    connection.end(end);
    for (const outcome of await outcomes) expect(outcome).toEqual({ status: "rejected", reason: end });
    expect(await session.closed).toBe(end);
    expect(end.message).toBe("scripted: closed by the peer (1001: server is going away)");
    expect(() => session.tryOpen()).toThrow(end);
    expect(() => stream.stream.send([Buffer.from("x")])).toThrow(end);
  });

  it("survives a receiver that throws by ending, with an internal error told to the peer", async () => {
    const [session, connection] = start({
      role: "server",
      onStream: (stream) =>
        stream.setReceiver({
          ...taker(),
          onData() {
            throw new Error("a bug");
          },
        }),
    });
    connection.feed(data(Flag.Syn, 1, Buffer.from("x")));
    expect(session.error).toMatchObject({
      code: "failed-locally",
      message: "this side of the session failed: a bug",
    });
    expect(connection.frames.at(-1)).toBe("GoAway[] stream=0 length=2");
    expect(connection.closedWith?.code).toBe(1011);
  });

  it("leaves neither timers nor streams behind", async () => {
    const [a, b] = createMemoryPair();
    const client = createYamuxSession(a, { role: "client" });
    const server = createYamuxSession(b, {
      role: "server",
      onStream: (stream) => stream.setReceiver(taker()),
    });
    for (let i = 0; i < 50; i++) openNow(client).send([Buffer.from("x")]);
    await settle();
    expect(server.streamCount).toBe(50);
    await client.close();
    await server.closed;
    expect([client.streamCount, server.streamCount]).toEqual([0, 0]);
  });
});
