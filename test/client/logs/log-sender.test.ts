import { getEventListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import { LogLevel, LogSender } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { running } from "../../support/sender-run.js";
import { fakeServer, lines, sourceA, sourceB, taken } from "./log-server.js";

afterEach(() => {
  vi.useRealTimers();
});

describe("a log sender", () => {
  it("sends what there is in one batch, each source by itself and in order (C3.12–C3.14)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender();
    await sender.send(sourceA, lines("1", "2"));
    await sender.send(sourceB, lines("x"));
    await sender.send(sourceA, lines("3"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches).toEqual([
      { source: 1, lines: ["1", "2", "3"] },
      { source: 2, lines: ["x"] },
    ]);
  });

  it("takes a source as text or as bytes, and nothing that is no UUID", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender();
    await sender.send("01010101-0101-0101-0101-010101010101", lines("1"));
    await sender.send(sourceA, lines("2"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches).toEqual([{ source: 1, lines: ["1", "2"] }]);
    for (const wrong of ["make", new Uint8Array(15)]) {
      expect(await failure(sender.send(wrong, lines("3")))).toBeInstanceOf(TypeError);
    }
  });

  it("takes sources in turn, however much one of them has (C3.11)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 10_000_000, flushIntervalMs: 0 });
    for (let i = 0; i < 6; i++) await sender.send(sourceA, lines("a".repeat(500_000)));
    await sender.send(sourceB, lines("b"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches.map(({ source, lines: sent }) => [source, sent.length])).toEqual([
      [1, 2],
      [2, 1],
      [1, 2],
      [1, 2],
    ]);
  });

  it("has one batch under way at a time (C3.13)", async () => {
    let underWay = 0;
    let most = 0;
    const { agent } = fakeServer(async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 1));
      underWay--;
      return taken;
    });
    const sender = new LogSender({ flushIntervalMs: 1 });
    await running(sender, agent, async () => {
      for (let i = 0; i < 20; i++) {
        await sender.send(i % 2 === 0 ? sourceA : sourceB, lines(`${i}`));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await sender.whenEmpty();
    });
    expect(most).toBe(1);
  });

  it("holds its writer back while too much waits", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 100 });
    let isQueued = false;
    const writing = sender.send(sourceA, lines("x".repeat(60), "x".repeat(60), "last")).then(() => {
      isQueued = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isQueued).toBe(false);
    await running(sender, agent, async () => {
      await writing;
      await sender.whenEmpty();
    });
    expect(batches.flatMap((batch) => batch.lines)).toHaveLength(3);
  });

  it("lets a writer that waits leave by its signal, without a trace", async () => {
    const sender = new LogSender({ maxQueuedBytes: 1 });
    await sender.send(sourceA, lines("too much"));
    const abort = new AbortController();
    const writing = failure(sender.send(sourceA, lines("more"), abort.signal));
    abort.abort(new Error("enough"));
    expect((await writing).message).toBe("enough");
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    expect((await failure(sender.whenEmpty(abort.signal))).message).toBe("enough");
  });

  it("keeps lines without an answer, and sends them again on the next connection (C3.16)", async () => {
    const sender = new LogSender();
    await sender.send(sourceA, lines("1", "2"));
    const lost = fakeServer(() => Promise.reject(new Error("the connection is lost")));
    await expect(sender.run(lost.agent, new AbortController().signal)).rejects.toThrow(
      "the connection is lost",
    );
    await sender.send(sourceA, lines("3"));
    const { agent, batches } = fakeServer();
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches).toEqual([{ source: 1, lines: ["1", "2", "3"] }]);
    expect([sender.pending, sender.dropped]).toEqual([0, {}]);
  });

  it("stops for good when the server takes no more, and counts what is lost (C3.17)", async () => {
    const { agent, batches } = fakeServer(async () => ({ logLimitExceeded: true }));
    const told: string[] = [];
    const onLimitReached = () => void told.push(`${sender.isLimitReached} ${sender.pending}`);
    const sender: LogSender = new LogSender({ maxQueuedBytes: 2, onLimitReached });
    await sender.send(sourceA, lines("one"));
    const held = sender.send(sourceB, lines("two", "three"));
    await sender.run(agent, new AbortController().signal);
    await held;
    await sender.whenEmpty();
    await sender.send(sourceA, lines("four"));
    await sender.run(agent, new AbortController().signal);
    expect(batches).toHaveLength(1);
    expect(sender.enqueue(sourceA, lines("five"))).toBe(0);
    expect([sender.isLimitReached, sender.dropped]).toEqual([true, { limit_reached: 5 }]);
    expect(told).toEqual(["true 0"]);
  });

  it("drops a line that fits in no batch, alone (C3.6)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 10_000_000, flushIntervalMs: 0 });
    await sender.send(sourceA, lines("x".repeat(1_048_556), "y".repeat(1_048_555), "z"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches.map((batch) => batch.lines.map(({ length }) => length))).toEqual([[1_048_555], [1]]);
    expect(sender.dropped).toEqual({ too_long: 1 });
  });

  it("sends text that every server takes (C3.7)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender();
    await sender.send(sourceA, lines("a\0b", "lone \ud800\udbff! pair \ud83d\ude42", "\uFFFD stays"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches[0]?.lines).toEqual(["a❌b", "lone ❌! pair 🙂", "\uFFFD stays"]);
  });

  it("takes lines until there is too much, when it must not wait, and counts the rest (C3.2, C3.4–C3.6)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 10, maxBatchBytes: 30 });
    expect(sender.enqueue(sourceA, [])).toBe(0);
    expect(sender.pending).toBe(0);
    expect(sender.enqueue(sourceA, lines("12345", "0123456789", "12345", "123456", "more", "and more"))).toBe(
      3,
    );
    expect(sender.enqueue(sourceB, lines("x"))).toBe(0);
    expect([sender.pending, sender.dropped]).toEqual([3, { too_long: 1, queue_full: 3 }]);
    await running(sender, agent, async () => {
      sender.flush(sourceA);
      while (sender.pending > 0) {
        await new Promise((resolve) => setImmediate(resolve));
        sender.flush(sourceA);
      }
    });
    expect(batches.map((batch) => batch.lines)).toEqual([["12345"], ["12345"], ["123456"]]);
    expect(sender.enqueue(sourceB, lines("x"))).toBe(1);
  });

  it("has no queue, and sends nothing, for a source whose lines were all dropped (C3.18)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxBatchBytes: 30 });
    expect(sender.enqueue(sourceA, lines("0123456789"))).toBe(0);
    await sender.whenEmpty();
    await running(sender, agent, () => new Promise((resolve) => setImmediate(resolve)));
    expect(batches).toEqual([]);
  });

  it("bounds lines that have no bytes too", async () => {
    const sender = new LogSender();
    expect(sender.enqueue(sourceA, Array(100_000).fill({ output: "" }))).toBe(65_536);
    expect(sender.dropped).toEqual({ queue_full: 34_464 });
    let isQueued = false;
    const writing = sender.send(sourceB, lines("")).then(() => {
      isQueued = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isQueued).toBe(false);
    const { agent } = fakeServer();
    await running(sender, agent, () => writing);
  });

  it("sends a burst at once, and what comes meanwhile after its interval or when it is flushed (C3.9, C3.10, C3.21)", async () => {
    vi.useFakeTimers();
    const answers: (() => void)[] = [];
    const { agent, batches } = fakeServer(async () => {
      await new Promise<void>((resolve) => answers.push(resolve));
      return taken;
    });
    const sender = new LogSender();
    const logger = sender.source(sourceA);
    const answered = async () => {
      answers.shift()?.();
      await vi.advanceTimersByTimeAsync(0);
    };
    const sent = () => batches.flatMap((batch) => batch.lines).join("");
    await running(sender, agent, async () => {
      logger.enqueue(lines("a"));
      await vi.advanceTimersByTimeAsync(0);
      expect(sent()).toBe("a");
      logger.enqueue(lines("b"));
      await answered();
      logger.enqueue(lines("c"));
      await vi.advanceTimersByTimeAsync(990);
      expect(sent()).toBe("a");
      await vi.advanceTimersByTimeAsync(20);
      expect(sent()).toBe("abc");
      logger.enqueue(lines("d"));
      await answered();
      sender.flush(sourceB);
      await vi.advanceTimersByTimeAsync(500);
      expect(sent()).toBe("abc");
      logger.flush();
      await vi.advanceTimersByTimeAsync(0);
      expect(sent()).toBe("abcd");
      await answered();
      await sender.whenEmpty();
      logger.enqueue(lines("e"));
      await vi.advanceTimersByTimeAsync(0);
      expect(sent()).toBe("abcde");
      await answered();
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for no interval while a writer waits for room", async () => {
    vi.useFakeTimers();
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 20, maxBatchBytes: 31 });
    await running(sender, agent, async () => {
      const abort = new AbortController();
      const writing = sender.send(
        sourceA,
        lines(..."0123456789abcdefghijklmnopqrstuvwxyz".split("")),
        abort.signal,
      );
      await vi.advanceTimersByTimeAsync(0);
      await writing;
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    });
    const sent = batches.flatMap((batch) => batch.lines).join("");
    expect("0123456789abcdefghijklmnopqrstuvwxyz".startsWith(sent)).toBe(true);
    expect(sent.length).toBeGreaterThan(10);
    expect(sent.length + sender.pending).toBe(36);
  });

  it("serves writers that wait in their order, a line of theirs after the other", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 1, flushIntervalMs: 0 });
    const writing = ["ab", "cd", "ef", "gh"].map((text) =>
      sender.send(sourceA, lines(...text.split("")).concat()),
    );
    await running(sender, agent, async () => {
      await Promise.all(writing);
      await sender.whenEmpty();
    });
    expect(batches.flatMap((batch) => batch.lines).join("")).toBe("abcdefgh");
  });

  it("lets nobody in before a writer that waits, however short the moment", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 0 });
    sender.enqueue(sourceA, lines("a"));
    const writing = sender.send(sourceA, lines("b", "c"));
    await running(sender, agent, async () => {
      // at the first moment at which there is room
      for (let i = 0; sender.pending > 0 && i < 1000; i++) await undefined;
      await Promise.all([writing, sender.send(sourceA, lines("d"))]);
      sender.flush(sourceA);
      await sender.whenEmpty();
    });
    expect(batches.flatMap((batch) => batch.lines).join("")).toBe("abcd");
  });

  it("queues nothing when the signal has ended before (C3.22)", async () => {
    const sender = new LogSender();
    const logger = sender.source(sourceA);
    const ended = AbortSignal.abort(new Error("over"));
    expect((await failure(logger.send(lines("x"), ended))).message).toBe("over");
    expect(() => logger.enqueue(lines("x"), ended)).toThrow("over");
    expect(() => logger.flush(ended)).toThrow("over");
    expect(sender.pending).toBe(0);
    await sender.whenEmpty(ended);
    await sender.send(sourceA, lines("x"));
    expect((await failure(sender.whenEmpty(ended))).message).toBe("over");
    expect((await failure(sender.run(fakeServer().agent, ended))).message).toBe("over");
    expect(sender.pending).toBe(1);
  });

  it("has done with a connection whose server lacks the RPC, and keeps its lines for the next", async () => {
    const sender = new LogSender();
    await sender.send(sourceA, lines("1"));
    const lacking = fakeServer(() => Promise.reject(new ConnectError("unknown rpc", Code.Unimplemented)));
    await sender.run(lacking.agent, new AbortController().signal);
    expect([sender.pending, sender.isLimitReached]).toEqual([1, false]);
    const { agent, batches } = fakeServer();
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches).toEqual([{ source: 1, lines: ["1"] }]);
  });

  it("throws the signal's reason, not what the call makes of it (C3.20)", async () => {
    const sender = new LogSender();
    const abort = new AbortController();
    const canceled = fakeServer(async () => {
      abort.abort(new Error("the connection ends"));
      throw new ConnectError("canceled", Code.Canceled);
    });
    await sender.send(sourceA, lines("1"));
    expect((await failure(sender.run(canceled.agent, abort.signal))).message).toBe("the connection ends");
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    expect(sender.pending).toBe(1);
  });

  it("is run on a connection when the run of the one before is over, and not before", async () => {
    const sender = new LogSender();
    const first = new AbortController();
    const second = new AbortController();
    let end = () => {};
    const slow = fakeServer(async () => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      return taken;
    });
    await sender.send(sourceA, lines("1"));
    const run = failure(sender.run(slow.agent, first.signal));
    const { agent, batches } = fakeServer();
    await sender.send(sourceB, lines("2"));
    first.abort(new Error("first"));
    expect((await failure(sender.run(agent, second.signal))).message).toContain("runs already");
    expect(batches).toEqual([]);
    end();
    expect((await run).message).toBe("first");
    const next = failure(sender.run(agent, second.signal));
    await sender.whenEmpty();
    second.abort(new Error("second"));
    expect((await next).message).toBe("second");
    expect(batches).toEqual([{ source: 2, lines: ["2"] }]);
  });

  it("sends a line that says so for one whose level or time cannot be sent (C3.8)", async () => {
    const logs: { output: string; level: LogLevel }[] = [];
    const agent = {
      batchCreateLogs: async (request: { logs: typeof logs }) => {
        logs.push(...request.logs);
        return taken;
      },
    };
    const sender = new LogSender();
    sender.enqueue(sourceA, [
      { output: "a", level: 99 as LogLevel },
      { output: "b", createdAt: new Date(Number.NaN) },
      { output: "c", level: LogLevel.WARN, createdAt: new Date(1_700_000_000_123) },
    ]);
    await running(sender, agent as never, () => sender.whenEmpty());
    const output = "**Coder Internal Error**: Failed to convert log";
    expect(logs).toMatchObject([
      { output, level: LogLevel.ERROR },
      { output, level: LogLevel.ERROR },
      { output: "c", level: LogLevel.WARN, createdAt: { seconds: 1_700_000_000n, nanos: 123_000_000 } },
    ]);
  });

  it("counts bytes of UTF-8, after what cannot be sent is replaced (C3.1)", () => {
    for (const text of [
      "plain",
      "é",
      "漢",
      "🙂",
      "\0",
      "\ud800\ud800",
      "a\udc00b",
      "\u07ff\u0800\uffff\u{10ffff}",
    ]) {
      const bytes = Buffer.byteLength(text.replace(/\p{Surrogate}+|\0/gu, "❌"));
      const fits = new LogSender({ maxBatchBytes: bytes + 21 });
      expect([text, fits.enqueue(sourceA, lines(text))]).toEqual([text, 1]);
      const fitsNot = new LogSender({ maxBatchBytes: bytes + 20 });
      expect([text, fitsNot.enqueue(sourceA, lines(text))]).toEqual([text, 0]);
    }
  });

  it("does not look at every line again for each batch", async () => {
    const count = 100_000;
    const { agent, batches } = fakeServer();
    const sender = new LogSender({
      maxQueuedBytes: 1e9,
      maxQueuedLines: 1e9,
      maxBatchBytes: 100,
      flushIntervalMs: 0,
    });
    sender.enqueue(sourceA, Array(count).fill({ output: "1234" }));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches).toHaveLength(count / 4);
  });

  it("does not look at every source again for each batch", async () => {
    const count = 30_000;
    const { agent, batches } = fakeServer();
    const sender = new LogSender();
    const id = Buffer.alloc(16);
    for (let i = 0; i < count; i++) {
      id.writeUInt32BE(i, 4);
      sender.enqueue(id, lines("x"));
    }
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches).toHaveLength(count);
  });
});
