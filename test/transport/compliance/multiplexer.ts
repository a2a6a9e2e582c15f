import { createHash } from "node:crypto";
import { expect, it } from "vitest";

/** One side of a stream, as the suite needs it: ours and the Go library's are fitted to it. */
export interface MuxStream {
  /** Resolves when the bytes have left. */
  write(bytes: Uint8Array): Promise<void>;
  /** Reads until the end: how much, and its digest. */
  readAll(): Promise<Digest>;
  /** Reads some bytes; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  closeWrite(): Promise<void>;
  /** Only where the library can: kills the stream. */
  reset?(): Promise<void>;
}

/** One side of a session. */
export interface Mux {
  open(): Promise<MuxStream>;
  accept(): Promise<MuxStream>;
  ping(): Promise<void>;
  goAway(): Promise<void>;
  close(): Promise<void>;
  /** Resolves when the session has ended. */
  ended(): Promise<void>;
  streamCount(): Promise<number>;
}

interface Digest {
  size: number;
  sha256: string;
}

export interface MuxPair {
  client: Mux;
  server: Mux;
  /** What the libraries complained about, where they say. */
  complaints?(): string[];
}

function digest(bytes: Uint8Array): Digest {
  return { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Bytes that show loss and repetition. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 0xff;
  return bytes;
}

const mebibyte = 1024 * 1024;

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function noStreamsLeft({ client, server }: MuxPair): Promise<void> {
  await until(async () => (await client.streamCount()) === 0, "no streams left on the client");
  await until(async () => (await server.streamCount()) === 0, "no streams left on the server");
}

/** Sends back what comes, then ends. */
async function echo(stream: MuxStream): Promise<void> {
  for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
    await stream.write(bytes);
  }
  await stream.closeWrite();
}

async function echoing(mux: Mux, count: number): Promise<void> {
  const streams: Promise<void>[] = [];
  for (let i = 0; i < count; i++) streams.push(echo(await mux.accept()));
  await Promise.all(streams);
}

/**
 * What every multiplexer of W3 must do, whatever carries it and whoever is the other side.
 * @param connect makes a connected pair that ends with the test.
 */
export function multiplexerCompliance(connect: () => Promise<MuxPair>): void {
  for (const opener of ["client", "server"] as const) {
    const other = opener === "client" ? "server" : "client";

    it(`carries bytes both ways on a stream that the ${opener} opens`, async () => {
      const pair = await connect();
      const near = await pair[opener].open();
      await near.write(Buffer.from("question"));
      const far = await pair[other].accept();
      expect(Buffer.from((await far.read()) ?? []).toString()).toBe("question");
      await far.write(Buffer.from("answer"));
      expect(Buffer.from((await near.read()) ?? []).toString()).toBe("answer");
      await near.closeWrite();
      expect(await far.read()).toBeUndefined();
      await far.closeWrite();
      expect(await near.read()).toBeUndefined();
      await noStreamsLeft(pair);
      expect(pair.complaints?.() ?? []).toEqual([]);
    });

    it(`goes on in the other direction after the ${opener} has ended its own`, async () => {
      const pair = await connect();
      const near = await pair[opener].open();
      await near.write(pattern(1000));
      await near.closeWrite();
      const far = await pair[other].accept();
      expect(await far.readAll()).toEqual(digest(pattern(1000)));
      const reading = near.readAll();
      for (let i = 0; i < 10; i++) await far.write(pattern(100_000));
      await far.closeWrite();
      expect((await reading).size).toBe(1_000_000);
      await noStreamsLeft(pair);
      expect(pair.complaints?.() ?? []).toEqual([]);
    });

    it(`moves 16 MiB from the ${opener}, far more than one window`, async () => {
      const pair = await connect();
      const near = await pair[opener].open();
      const bytes = pattern(16 * mebibyte);
      const sending = near.write(bytes).then(() => near.closeWrite());
      const far = await pair[other].accept();
      expect(await far.readAll()).toEqual(digest(bytes));
      await sending;
      await far.closeWrite();
      await noStreamsLeft(pair);
      expect(pair.complaints?.() ?? []).toEqual([]);
    });
  }

  it("moves 4 MiB in both directions of one stream at once", async () => {
    const pair = await connect();
    const near = await pair.client.open();
    const bytes = pattern(4 * mebibyte);
    const sent = near.write(bytes).then(() => near.closeWrite());
    const far = await pair.server.accept();
    const sentBack = far.write(bytes).then(() => far.closeWrite());
    const digests = await Promise.all([near.readAll(), far.readAll()]);
    expect(digests).toEqual([digest(bytes), digest(bytes)]);
    await Promise.all([sent, sentBack]);
    await noStreamsLeft(pair);
  });

  it("opens and ends a stream on which nothing is sent", async () => {
    const pair = await connect();
    const near = await pair.client.open();
    const far = await pair.server.accept();
    await far.closeWrite();
    expect(await near.read()).toBeUndefined();
    await near.closeWrite();
    expect(await far.read()).toBeUndefined();
    await noStreamsLeft(pair);
  });

  it("serves 300 streams at once, each with its own bytes", async () => {
    const pair = await connect();
    const serving = echoing(pair.server, 300);
    await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const stream = await pair.client.open();
        const bytes = Buffer.alloc(500 + i, i);
        await stream.write(bytes);
        await stream.closeWrite();
        expect(await stream.readAll()).toEqual(digest(bytes));
      }),
    );
    await serving;
    await noStreamsLeft(pair);
    expect(pair.complaints?.() ?? []).toEqual([]);
  });

  it("serves 1,000 streams one after the other and keeps none", async () => {
    const pair = await connect();
    const serving = echoing(pair.server, 1000);
    for (let i = 0; i < 1000; i++) {
      const stream = await pair.client.open();
      await stream.write(Buffer.from([i & 255, i >> 8]));
      await stream.closeWrite();
      expect((await stream.readAll()).size).toBe(2);
    }
    await serving;
    await noStreamsLeft(pair);
    expect(pair.complaints?.() ?? []).toEqual([]);
  });

  it("holds a writer back whose reader does not read, and lets others pass", async () => {
    const pair = await connect();
    const slow = await pair.client.open();
    let isSent = false;
    const bytes = pattern(3 * mebibyte);
    const sending = slow.write(bytes).then(() => {
      isSent = true;
      return slow.closeWrite();
    });
    const unread = await pair.server.accept();
    for (let i = 0; i < 20; i++) {
      const stream = await pair.client.open();
      await stream.write(Buffer.from("pass"));
      const far = await pair.server.accept();
      expect(Buffer.from((await far.read()) ?? []).toString()).toBe("pass");
      await stream.closeWrite();
      await far.closeWrite();
    }
    expect(isSent).toBe(false);
    expect(await unread.readAll()).toEqual(digest(bytes));
    await sending;
  });

  it("answers pings of both sides", async () => {
    const { client, server } = await connect();
    await Promise.all([client.ping(), server.ping(), client.ping(), server.ping()]);
  });

  it("finishes open streams after go away, and opens no more towards the side that said it", async () => {
    const pair = await connect();
    const near = await pair.client.open();
    await near.write(Buffer.from("before"));
    const far = await pair.server.accept();
    await pair.server.goAway();
    // the answer to a ping comes after the go away
    await pair.client.ping();
    await far.write(Buffer.from("after"));
    await far.closeWrite();
    expect(Buffer.from((await near.read()) ?? []).toString()).toBe("after");
    await near.closeWrite();
    expect(Buffer.from((await far.read()) ?? []).toString()).toBe("before");
    expect(await far.read()).toBeUndefined();
    await expect(pair.client.open()).rejects.toThrow(/not accepting|accepts no new streams/);
    const back = await pair.server.open();
    await back.write(Buffer.from("still"));
    expect(Buffer.from((await (await pair.client.accept()).read()) ?? []).toString()).toBe("still");
  });

  for (const closer of ["client", "server"] as const) {
    it(`ends everything on both sides when the ${closer} closes the session`, async () => {
      const pair = await connect();
      const near = await pair.client.open();
      await near.write(Buffer.from("x"));
      const far = await pair.server.accept();
      await far.read();
      const ends = Promise.allSettled([near.read(), far.read(), pair.client.accept(), pair.server.accept()]);
      await pair[closer].close();
      await Promise.all([pair.client.ended(), pair.server.ended()]);
      for (const end of await ends) {
        // the Go library ends the reads of a dead session like those of a finished stream
        if (end.status === "fulfilled") expect(end.value).toBeUndefined();
      }
      await expect(pair.client.open()).rejects.toThrow();
      await expect(pair.server.open()).rejects.toThrow();
    });
  }

  it("tells the other side of a reset, and keeps the session", async () => {
    const pair = await connect();
    const near = await pair.client.open();
    await near.write(Buffer.from("x"));
    const far = await pair.server.accept();
    await far.read();
    const resetter = near.reset === undefined ? far : near;
    const reader = near.reset === undefined ? near : far;
    const reading = reader.read();
    await resetter.reset?.();
    await expect(reading).rejects.toThrow(/reset/);
    await noStreamsLeft(pair);
    await pair.client.ping();
  });
}
