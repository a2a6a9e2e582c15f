import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter, type LogLine, LogSender } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";

const sourceA = Buffer.alloc(16, 1);
const sourceB = Buffer.alloc(16, 2);

interface Batch {
  source: number;
  lines: string[];
}

/** A server that keeps what it is sent, and answers when the test says so. */
function fakeServer(answer: (batch: Batch) => Promise<{ logLimitExceeded: boolean }> = () => taken) {
  const batches: Batch[] = [];
  const agent = {
    batchCreateLogs: async (request: { logSourceId?: Uint8Array; logs?: { output?: string }[] }) => {
      const batch = {
        source: request.logSourceId?.[0] ?? 0,
        lines: (request.logs ?? []).map(({ output = "" }) => output),
      };
      batches.push(batch);
      return answer(batch);
    },
  };
  return { batches, agent: agent as never };
}

const taken = Promise.resolve({ logLimitExceeded: false });

/** Runs a sender until the end of the test's work. */
async function running(sender: LogSender, agent: never, work: () => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const run = sender.run(agent, abort.signal).catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  await work();
  abort.abort();
  await run;
}

const lines = (...outputs: string[]): LogLine[] => outputs.map((output) => ({ output }));

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
    const sender = new LogSender({ maxQueuedBytes: 10_000_000 });
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
    const sender = new LogSender();
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
    expect(sender.droppedLines).toBe(0);
  });

  it("stops for good when the server takes no more, and counts what is lost (C3.17)", async () => {
    const { agent, batches } = fakeServer(async () => ({ logLimitExceeded: true }));
    const sender = new LogSender({ maxQueuedBytes: 2 });
    await sender.send(sourceA, lines("one"));
    const held = sender.send(sourceB, lines("two", "three"));
    await sender.run(agent, new AbortController().signal);
    await held;
    await sender.whenEmpty();
    await sender.send(sourceA, lines("four"));
    await sender.run(agent, new AbortController().signal);
    expect(batches).toHaveLength(1);
    expect([sender.isLimitReached, sender.droppedLines]).toEqual([true, 4]);
  });

  it("drops a line that fits in no batch, alone (C3.6)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 10_000_000 });
    await sender.send(sourceA, lines("x".repeat(1_048_556), "y".repeat(1_048_555), "z"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches.map((batch) => batch.lines.map(({ length }) => length))).toEqual([[1_048_555], [1]]);
    expect(sender.droppedLines).toBe(1);
  });

  it("sends text that every server takes (C3.7)", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender();
    await sender.send(sourceA, lines("a\0b", "lone \ud800\udbff! pair \ud83d\ude42", "\uFFFD stays"));
    await running(sender, agent, () => sender.whenEmpty());
    expect(batches[0]?.lines).toEqual(["a❌b", "lone ❌! pair 🙂", "\uFFFD stays"]);
  });
});

describe("a line splitter", () => {
  const split = (splitter: LineSplitter, ...chunks: (string | number[])[]) => {
    const found: string[] = [];
    for (const chunk of chunks) found.push(...splitter.push(Buffer.from(chunk as string)));
    return [...found, ...splitter.end()];
  };

  it.each([
    [["a\nb\n"], ["a", "b"]],
    [["a\r\nb\r\r\n\n"], ["a", "b\r", ""]],
    [
      ["a\r", "\nb"],
      ["a", "b"],
    ],
    [["no end"], ["no end"]],
    [["grö", "ße\n"], ["größe"]],
    [[""], []],
  ])("C3.23 makes of %j: %j", (chunks, expected) => {
    expect(split(new LineSplitter(), ...chunks)).toEqual(expected);
  });

  it("C3.7 makes one mark of each run of bytes that are no text", () => {
    const splitter = new LineSplitter();
    expect(
      split(splitter, [0x61, 0xff, 0xfe, 0x62, 0xc3, 0x0a, 0xef, 0xbf, 0xbd, 0xff, 0xef, 0xbf, 0x0a]),
    ).toEqual(["a❌b❌", "\uFFFD❌"]);
  });

  it("cuts a line that is too long, not within a character", () => {
    expect(split(new LineSplitter(4), "abcdefghi\nx")).toEqual(["abcd", "efgh", "i", "x"]);
    expect(split(new LineSplitter(4), "abcé漢z\n")).toEqual(["abc", "é", "漢z"]);
    expect(split(new LineSplitter(4), "abcd\nabcde\n")).toEqual(["abcd", "abcd", "e"]);
  });

  it("makes the same lines however its input is cut", () => {
    const text = fc.array(fc.constantFrom("a", "é", "漢", "🙂", "\n", "\r\n", "\0x"), { maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(80)), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(""));
        const splitter = new LineSplitter();
        const found: string[] = [];
        let start = 0;
        for (const cut of [...cuts.filter((at) => at < bytes.length), bytes.length].sort((a, b) => a - b)) {
          found.push(...splitter.push(bytes.subarray(start, cut)));
          start = cut;
        }
        found.push(...splitter.end());
        expect(found).toEqual(split(new LineSplitter(), bytes.toString()));
      }),
    );
  });
});
