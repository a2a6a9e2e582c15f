import { describe, expect, it } from "vitest";
import { PulledStream, TransportError } from "../../src/transport/index.js";
import { MemoryStream } from "../support/memory-stream.js";

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

describe("a stream that is read and written with promises", () => {
  it("leaves in the stream what nobody reads", async () => {
    const below = new MemoryStream();
    const stream = new PulledStream(below);
    below.feed(Buffer.from("one"));
    below.feed(Buffer.from("two"));
    expect(below.unread).toBe(6);
    expect(text(await stream.read())).toBe("one");
    expect(below.unread).toBe(3);
    expect(text(await stream.read())).toBe("two");
    const later = stream.read();
    below.feed(Buffer.from("three"));
    expect(text(await later)).toBe("three");
  });

  it("gives undefined at the end, every time", async () => {
    const below = new MemoryStream();
    const stream = new PulledStream(below);
    const first = stream.read();
    below.end();
    expect(await first).toBeUndefined();
    expect(await stream.read()).toBeUndefined();
  });

  it("refuses a second read at the same time, and the first goes on", async () => {
    const below = new MemoryStream();
    const stream = new PulledStream(below);
    const first = stream.read();
    await expect(stream.read()).rejects.toThrow("one read of a stream at a time");
    below.feed(Buffer.from("x"));
    expect(text(await first)).toBe("x");
  });

  it("holds writers back until everything has left, and tells them when it cannot", async () => {
    const below = new MemoryStream();
    const stream = new PulledStream(below);
    await stream.write(Buffer.from("at once"));
    below.isBlocked = true;
    let hasLeft = false;
    const writing = stream.write(Buffer.from("later")).then(() => {
      hasLeft = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasLeft).toBe(false);
    below.drain();
    await writing;
    below.isBlocked = true;
    const waits = [stream.write(Buffer.from("never")), stream.read()];
    const error = new TransportError("stream", "stream-reset", "reset by the peer");
    below.fail(error);
    for (const outcome of await Promise.allSettled([...waits, stream.read()]))
      expect(outcome).toEqual({ status: "rejected", reason: error });
  });

  it("is reset by leaving its loop, and by hand, which ends what waits", async () => {
    const left = new MemoryStream();
    left.feed(Buffer.from("x"));
    for await (const _ of new PulledStream(left)) break;
    expect(left.wasReset).toBe(true);

    const below = new MemoryStream();
    const stream = new PulledStream(below);
    const reading = stream.read();
    stream.reset();
    await expect(reading).rejects.toMatchObject({ code: "stream-ended" });
    expect(below.wasReset).toBe(true);
  });

  it("is read to its end by a loop, and not reset then", async () => {
    const below = new MemoryStream();
    below.feed(Buffer.from("a"));
    const got: string[] = [];
    const reading = (async () => {
      for await (const bytes of new PulledStream(below)) got.push(text(bytes));
    })();
    await new Promise((resolve) => setImmediate(resolve));
    below.feed(Buffer.from("b"));
    await new Promise((resolve) => setImmediate(resolve));
    below.end();
    await reading;
    expect(got).toEqual(["a", "b"]);
    expect(below.wasReset).toBe(false);
  });
});
