import { getEventListeners } from "node:events";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  externalLogSourceId,
  HttpError,
  HttpLogSender,
  type HttpLogSenderOptions,
  LineWriter,
  LogLevel,
} from "../../../src/client/index-node.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { runs } from "../../support/scale.js";
import { lines } from "./log-server.js";

afterEach(() => {
  vi.useRealTimers();
});

interface Patch {
  log_source_id: string;
  logs: { created_at: string; output: string; level: string }[];
}

/** A control plane as `fetch` sees it, that answers when the test says so. */
function fakeFetch(answer: (patch: Patch, signal: AbortSignal) => Response | Promise<Response> = ok) {
  const patches: Patch[] = [];
  const fetch = async (_url: unknown, init: RequestInit = {}) => {
    const patch = JSON.parse(String(init.body)) as Patch;
    patches.push(patch);
    return answer(patch, init.signal as AbortSignal);
  };
  return { patches, fetch: fetch as typeof globalThis.fetch };
}

const ok = () => new Response("null", { status: 200 });
const refusal = (status: number, message: string) =>
  new Response(JSON.stringify({ message }), { status, headers: { "Content-Type": "application/json" } });

function senderTo(
  fetch: typeof globalThis.fetch,
  options: Partial<HttpLogSenderOptions> = {},
): HttpLogSender {
  return new HttpLogSender({ url: "http://control.test", token, fetch, ...options });
}

const outputs = (patches: readonly Patch[]) => patches.map(({ logs }) => logs.map(({ output }) => output));

describe("a log sender over HTTP", () => {
  it("C1.42, C1.49 stores lines in a control plane, in order", async () => {
    const plane = await controlPlane();
    const sender = new HttpLogSender({ url: plane.url, token, flushIntervalMs: 1 });
    const writer = new LineWriter((all) => sender.send(all), { level: LogLevel.WARN });
    await writer.write("one\ntw");
    await sender.whenEmpty();
    await writer.write("o\nthree");
    await writer.end();
    await sender.flushAndClose();
    expect(await plane.store.logs(plane.agents[0]?.id ?? "", 0, 100)).toMatchObject(
      ["one", "two", "three"].map((output) => ({ output, level: "warn", logSourceId: externalLogSourceId })),
    );
    expect([sender.pending, sender.dropped]).toEqual([0, {}]);
  });

  it("C1.42 has time, text and level of each line, and the source that it is given", async () => {
    const { fetch, patches } = fakeFetch();
    const sender = senderTo(fetch, { sourceId: Buffer.alloc(16, 0xab) });
    const createdAt = new Date("2026-01-02T03:04:05.678Z");
    await sender.send([
      { output: "<a>\0\ud800\u001b[0m\r", level: LogLevel.DEBUG, createdAt },
      { output: "", level: 0, createdAt },
    ]);
    await sender.flushAndClose();
    const created_at = "2026-01-02T03:04:05.678Z";
    expect(patches).toEqual([
      {
        log_source_id: "abababab-abab-abab-abab-abababababab",
        logs: [
          { created_at, output: "<a>\0\uFFFD\u001b[0m\r", level: "debug" },
          { created_at, output: "", level: "info" },
        ],
      },
    ]);
    expect(() => senderTo(fetch, { sourceId: "make" })).toThrow(TypeError);
    expect(() => senderTo(fetch, { url: "ftp://x" })).toThrow(TypeError);
  });

  it("C3.26 sends after 250 ms, or as soon as 100 lines wait", async () => {
    vi.useFakeTimers();
    const { fetch, patches } = fakeFetch();
    const sender = senderTo(fetch);
    await sender.send(lines("a"));
    await vi.advanceTimersByTimeAsync(249);
    await sender.send(lines("b"));
    expect(patches).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(outputs(patches)).toEqual([["a", "b"]]);
    await sender.send(Array(99).fill({ output: "x" }));
    await vi.advanceTimersByTimeAsync(0);
    expect(patches).toHaveLength(1);
    await sender.send(lines("the hundredth"));
    await vi.advanceTimersByTimeAsync(0);
    expect(patches.map(({ logs }) => logs.length)).toEqual([2, 100]);
    await sender.whenEmpty();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("C3.26 has one request under way at a time", async () => {
    let underWay = 0;
    let most = 0;
    const { fetch, patches } = fakeFetch(async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      return ok();
    });
    const sender = senderTo(fetch, { flushLines: 2, flushIntervalMs: 1 });
    for (let i = 0; i < 20; i++) {
      await sender.send(lines(`${i}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sender.flushAndClose();
    expect(most).toBe(1);
    expect(outputs(patches).flat()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  });

  it("C3.27 tries again for ever, after 1 s to 5 s, and says why", async () => {
    vi.useFakeTimers();
    let failures = 6;
    const { fetch, patches } = fakeFetch(() => (failures-- > 0 ? refusal(500, "database is locked") : ok()));
    const told: [string, number][] = [];
    const sender = senderTo(fetch, {
      onRetry(error, retryInMs) {
        told.push([(error as HttpError).reason, retryInMs]);
        throw new Error("of no consequence");
      },
    });
    await sender.send(lines("a"));
    await vi.advanceTimersByTimeAsync(250);
    const delays = [1000, 2000, 4000, 5000, 5000, 5000];
    for (const [i, delayMs] of delays.entries()) {
      await vi.advanceTimersByTimeAsync(delayMs - 1);
      expect(patches).toHaveLength(i + 1);
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(outputs(patches)).toEqual(Array(7).fill(["a"]));
    expect(told).toEqual(delays.map((delayMs) => ["database is locked", delayMs]));
    expect([sender.pending, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("C1.50, C3.27 drops what the server has no room for, counts it, and goes on", async () => {
    const { fetch, patches } = fakeFetch(({ logs }) =>
      logs.some(({ output }) => output === "too much") ? refusal(413, "Logs limit exceeded") : ok(),
    );
    const sender = senderTo(fetch, { flushIntervalMs: 1 });
    await sender.send(lines("too much", "with it"));
    await sender.whenEmpty();
    await sender.send(lines("small"));
    await sender.flushAndClose();
    expect(outputs(patches)).toEqual([["too much", "with it"], ["small"]]);
    expect(sender.dropped).toEqual({ too_large: 2 });
  });

  it("C3.28 sends what is left when it is closed, without waiting for its interval", async () => {
    const { fetch, patches } = fakeFetch();
    const sender = senderTo(fetch, { flushIntervalMs: 1e9 });
    await sender.send(lines("a", "b"));
    await sender.flushAndClose();
    expect(outputs(patches)).toEqual([["a", "b"]]);
    await sender.flushAndClose();
    expect((await failure(sender.send(lines("c")))).message).toBe("closed: the sender takes no more lines");
    expect((await failure(sender.send([]))).message).toContain("closed: ");
  });

  it("C3.28 drops the rest when the wait for the end is over, and leaves nothing behind", async () => {
    const { fetch } = fakeFetch(
      (_patch, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const outer = new AbortController();
    const sender = senderTo(fetch, { flushIntervalMs: 0, signal: outer.signal });
    await sender.send(lines("a", "b"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(getEventListeners(outer.signal, "abort").length).toBeGreaterThan(0);
    const wait = new AbortController();
    const closing = failure(sender.flushAndClose(wait.signal));
    wait.abort(new Error("long enough"));
    expect((await closing).message).toBe("long enough");
    expect([sender.pending, sender.dropped]).toEqual([0, { canceled: 2 }]);
    expect(getEventListeners(outer.signal, "abort")).toHaveLength(0);
    expect(getEventListeners(wait.signal, "abort")).toHaveLength(0);
  });

  it("C3.27, C3.29 ends with its signal, drops what is queued, and refuses what comes", async () => {
    vi.useFakeTimers();
    const { fetch } = fakeFetch(() => refusal(401, "Workspace agent not authorized."));
    const outer = new AbortController();
    const sender = senderTo(fetch, { signal: outer.signal, maxQueuedBytes: 1 });
    await sender.send(lines("a"));
    const held = failure(sender.send(lines("b")));
    await vi.advanceTimersByTimeAsync(10_000);
    outer.abort(new Error("over"));
    expect((await held).message).toBe("closed: over");
    expect((await failure(sender.send(lines("c")))).message).toBe("closed: over");
    expect((await failure(sender.flushAndClose())).message).toBe("over");
    expect([sender.pending, sender.dropped, vi.getTimerCount()]).toEqual([0, { canceled: 1 }, 0]);
    const done = AbortSignal.abort(new Error("mine"));
    expect((await failure(sender.send(lines("d"), done))).message).toBe("mine");
  });

  it("holds its writer back while too much waits, and cuts requests by size", async () => {
    const { fetch, patches } = fakeFetch();
    const sender = senderTo(fetch, {
      flushIntervalMs: 0,
      maxQueuedBytes: 400,
      maxQueuedLines: 5,
      maxBatchBytes: 300,
    });
    const all = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(i * 10, "x"));
    let most = 0;
    await sender.send(lines(...all.slice(0, 3)));
    const writing = sender.send(lines(...all.slice(3)));
    while (sender.pending > 0) {
      most = Math.max(most, sender.pending);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    expect(most).toBeLessThanOrEqual(5);
    expect(outputs(patches).flat()).toEqual(all);
    for (const { logs } of patches) {
      if (logs.length > 1) expect(JSON.stringify(logs).length - 1).toBeLessThanOrEqual(300);
    }
  });

  it("loses nothing but what is counted, and keeps the order, whatever the server answers", async () => {
    const fate = fc.constantFrom("stored", "refused", "stored, answer lost", "no room");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { maxLength: 12 }),
        fc.array(fc.nat(6), { maxLength: 8 }),
        async (fates, bursts) => {
          const stored: string[] = [];
          const noRoom: string[] = [];
          const left = [...fates];
          const { fetch } = fakeFetch(({ logs }) => {
            const texts = logs.map(({ output }) => output);
            const now = left.shift() ?? "stored";
            if (now === "no room") {
              noRoom.push(...texts);
              return refusal(413, "Logs limit exceeded");
            }
            if (now === "refused") return refusal(503, "closing");
            stored.push(...texts);
            if (now === "stored") return ok();
            throw new TypeError("fetch failed");
          });
          const options = { flushIntervalMs: 0, flushLines: 3, firstRetryMs: 0, maxQueuedLines: 4 };
          const sender = senderTo(fetch, options);
          let count = 0;
          for (const burst of bursts) {
            await sender.send(lines(...Array.from({ length: burst }, () => `${count++}`)));
          }
          await sender.flushAndClose();
          const arrived = [...new Set(stored)];
          expect(arrived).toEqual([...arrived].sort((a, b) => Number(a) - Number(b)));
          expect(new Set([...stored, ...noRoom]).size).toBe(count);
          expect(sender.dropped).toEqual(noRoom.length > 0 ? { too_large: noRoom.length } : {});
          expect(sender.pending).toBe(0);
        },
      ),
      runs(60),
    );
  });

  it("keeps what the server said", async () => {
    const plane = await controlPlane();
    let said: unknown;
    const wait = new AbortController();
    const onRetry = (error: unknown) => {
      said = error;
      wait.abort(new Error("seen"));
    };
    const sender = new HttpLogSender({ url: plane.url, token: crypto.randomUUID(), onRetry });
    await sender.send(lines("a"));
    await failure(sender.flushAndClose(wait.signal));
    expect(said).toBeInstanceOf(HttpError);
    expect(said).toMatchObject({ status: 401, layer: "http" });
  });
});
