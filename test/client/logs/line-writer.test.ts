import { spawn } from "node:child_process";
import { getEventListeners } from "node:events";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { LineWriter, LogLevel, type LogLine, LogSender, lineStream } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { running } from "../../support/sender-run.js";
import { fakeServer, sourceA } from "./log-server.js";

function collector() {
  const all: LogLine[] = [];
  const target = async (lines: readonly LogLine[]) => void all.push(...lines);
  return { all, target, texts: () => all.map(({ output }) => output) };
}

const closing = (stream: Writable) => new Promise((resolve) => stream.once("close", resolve));

describe("a line writer", () => {
  it("C3.23, C3.24 sends lines as they are complete, and at its end what is left", async () => {
    const { target, texts } = collector();
    const writer = new LineWriter(target);
    await writer.write("a\n\nb");
    expect(texts()).toEqual(["a", ""]);
    await writer.write(Buffer.from("c\r"));
    await writer.write(new Uint8Array([0x0a, 0x64]));
    expect(texts()).toEqual(["a", "", "bc"]);
    await writer.end();
    await writer.end();
    expect(texts()).toEqual(["a", "", "bc", "d"]);
  });

  it("C3.25 gives each line its level and the time at which it was complete", async () => {
    const { target, all } = collector();
    const writer = new LineWriter(target, { level: LogLevel.ERROR });
    const before = Date.now();
    await writer.write("a\nb\n");
    expect(all).toMatchObject([{ level: LogLevel.ERROR }, { level: LogLevel.ERROR }]);
    for (const { createdAt } of all) {
      expect(createdAt?.getTime()).toBeGreaterThanOrEqual(before);
      expect(createdAt?.getTime()).toBeLessThanOrEqual(Date.now());
    }
  });

  it("C3.25 stops with the error of its sender, and the signal ends its wait", async () => {
    const sender = new LogSender({ maxQueuedBytes: 0 });
    const abort = new AbortController();
    const writer = sender.source(sourceA).writer({ signal: abort.signal });
    await writer.write("a\n");
    const writing = failure(writer.write("b\nc\n"));
    abort.abort(new Error("enough"));
    expect((await writing).message).toBe("enough");
    expect((await failure(writer.write("d\n"))).message).toBe("enough");
    expect(sender.pending).toBe(1);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });

  it("cuts a line that does not end", async () => {
    const { target, texts } = collector();
    const writer = new LineWriter(target, { maxLineBytes: 4 });
    for (const byte of Buffer.from("漢漢漢🙂!")) await writer.write(new Uint8Array([byte]));
    await writer.end();
    expect(texts()).toEqual(["漢", "漢", "漢", "🙂", "!"]);
  });
});

describe("a stream of lines", () => {
  it("takes a program's output, which waits while the queue is full", async () => {
    const { agent, batches } = fakeServer();
    const sender = new LogSender({ maxQueuedBytes: 10_000, flushIntervalMs: 0 });
    const child = spawn(process.execPath, [
      "-e",
      "for (let i = 0; i < 20000; i++) console.log(i, 'x'.repeat(100))",
    ]);
    let most = 0;
    const piping = pipeline(child.stdout, lineStream(sender.source(sourceA)));
    const watch = setInterval(() => {
      most = Math.max(most, sender.pending);
    }, 1);
    // nothing is taken away yet: it has to stop
    while (most < 90) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(child.exitCode).toBe(null);
    await running(sender, agent, async () => {
      await piping;
      await sender.whenEmpty();
    });
    clearInterval(watch);
    expect(most).toBeLessThan(120);
    const sent = batches.flatMap(({ lines }) => lines);
    expect(sent).toEqual(Array.from({ length: 20_000 }, (_, i) => `${i} ${"x".repeat(100)}`));
  });

  it("is destroyed with the error of its sender", async () => {
    const stream = lineStream({ send: () => Promise.reject(new Error("closed: over")) });
    const errors: Error[] = [];
    stream.on("error", (error) => errors.push(error));
    stream.write("a\n");
    await closing(stream);
    expect(errors.map(({ message }) => message)).toEqual(["closed: over"]);
  });

  it.each(["destroyed", "ended by its signal", "ended by its signal before"])(
    "that is %s waits no longer, and leaves no listener",
    async (how) => {
      const sender = new LogSender({ maxQueuedBytes: 0 });
      const abort = new AbortController();
      if (how.endsWith("before")) abort.abort(new Error("over"));
      const stream = lineStream(sender.source(sourceA), { signal: abort.signal });
      const errors: Error[] = [];
      stream.on("error", (error) => errors.push(error));
      stream.write("a\nb\n");
      const closed = closing(stream);
      if (how === "destroyed") stream.destroy(new Error("over"));
      else abort.abort(new Error("over"));
      await closed;
      expect(errors.map(({ message }) => message)).toEqual(["over"]);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
      // the writer's place is free again
      sender.source(sourceA).enqueue([]);
      await running(sender, fakeServer().agent, () => sender.send(sourceA, [{ output: "c" }]));
    },
  );

  it("leaves the signal alone when it has ended in order", async () => {
    const { target, texts } = collector();
    const { signal } = new AbortController();
    const stream = lineStream({ send: target }, { signal });
    stream.end("a\nb");
    await closing(stream);
    expect(texts()).toEqual(["a", "b"]);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
