import { getEventListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogSender } from "../../../src/client/index-node.js";
import { watchTimers } from "../../leaks/live-things.js";
import { runs, timeoutMs } from "../../support/scale.js";

const maxBatchBytes = 100;
const maxQueuedBytes = 60;
const maxQueuedLines = 12;
const lineOverheadBytes = 21;

/** What a server does with a batch. */
const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant("stored" as const) },
  { weight: 2, arbitrary: fc.constant("stored late" as const) },
  { weight: 2, arbitrary: fc.constant("lost before it is stored" as const) },
  { weight: 2, arbitrary: fc.constant("stored, answer lost" as const) },
  { weight: 1, arbitrary: fc.constant("refused" as const) },
  { weight: 1, arbitrary: fc.constant("rpc missing" as const) },
  { weight: 1, arbitrary: fc.constant("session ends meanwhile" as const) },
);
type Fate = typeof fate extends fc.Arbitrary<infer F> ? F | "limit reached" : never;

/** What the writer of a source does. Lengths above 79 fit in no batch. */
const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("send" as const), lengths: lengthsOfLines() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("enqueue" as const), lengths: lengthsOfLines() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("flush" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rest" as const), ticks: fc.nat(4) }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

function lengthsOfLines() {
  const length = fc.oneof(
    { weight: 9, arbitrary: fc.nat(30) },
    { weight: 1, arbitrary: fc.integer({ min: 70, max: 90 }) },
  );
  return fc.array(length, { maxLength: 6 });
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A server that does with each batch what it is told, and all that come after it stores. */
class FaultyServer {
  readonly stored: { source: number; lines: string[]; isAnswered: boolean }[] = [];
  underWay = 0;
  mostUnderWay = 0;
  readonly #fates: Fate[];
  /** Ends the session. */
  cut = () => {};

  constructor(fates: readonly Fate[]) {
    this.#fates = [...fates];
  }

  readonly agent = {
    batchCreateLogs: async (
      request: { logSourceId: Uint8Array; logs: { output: string }[] },
      { signal }: { signal: AbortSignal },
    ) => {
      const batch = { source: request.logSourceId[0] ?? 0, lines: request.logs.map(({ output }) => output) };
      this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
      try {
        return await this.#answer(batch, signal);
      } finally {
        this.underWay--;
      }
    },
  };

  async #answer(batch: { source: number; lines: string[] }, signal: AbortSignal) {
    const fateOfBatch = this.#fates.shift() ?? "stored";
    await tick();
    const lost = new ConnectError("the connection is lost", Code.Unavailable);
    if (fateOfBatch === "limit reached") return { logLimitExceeded: true };
    if (fateOfBatch === "lost before it is stored") throw lost;
    if (fateOfBatch === "refused") throw new ConnectError("database is locked", Code.Unknown);
    if (fateOfBatch === "rpc missing") throw new ConnectError("unknown rpc", Code.Unimplemented);
    if (fateOfBatch === "session ends meanwhile") {
      this.cut();
      throw new ConnectError(String(signal.reason), Code.Canceled);
    }
    if (fateOfBatch === "stored late") for (let i = 0; i < 5; i++) await tick();
    const isAnswered = fateOfBatch !== "stored, answer lost";
    this.stored.push({ ...batch, isAnswered });
    if (!isAnswered) throw lost;
    return { logLimitExceeded: false };
  }
}

/** Keeps a sender going over one session after the other. */
async function sessions(sender: LogSender, server: FaultyServer, end: AbortSignal): Promise<void> {
  while (!end.aborted && !sender.isLimitReached) {
    const session = new AbortController();
    server.cut = () => session.abort(new Error("the session ends"));
    end.addEventListener("abort", server.cut);
    await sender.run(server.agent as never, session.signal).catch(() => {});
    end.removeEventListener("abort", server.cut);
    expect(getEventListeners(session.signal, "abort")).toHaveLength(0);
    await tick();
  }
}

interface Written {
  accepted: string[];
  offered: number;
}

/** Does what the writer of a source does. */
async function write(sender: LogSender, source: number, actions: readonly Action[]): Promise<Written> {
  const logger = sender.source(new Uint8Array(16).fill(source));
  const accepted: string[] = [];
  let offered = 0;
  for (const step of actions) {
    if (step.kind === "flush") logger.flush();
    else if (step.kind === "rest") for (let i = 0; i < step.ticks; i++) await tick();
    else {
      const outputs = step.lengths.map((length) => `${offered++}`.padEnd(length, "."));
      const lines = outputs.map((output) => ({ output }));
      const fitting = outputs.filter((output) => output.length + lineOverheadBytes <= maxBatchBytes);
      if (step.kind === "enqueue") accepted.push(...fitting.slice(0, logger.enqueue(lines)));
      else {
        await logger.send(lines);
        accepted.push(...fitting);
      }
    }
  }
  return { accepted, offered };
}

function newSender(): LogSender {
  return new LogSender({ maxBatchBytes, maxQueuedBytes, maxQueuedLines, flushIntervalMs: 0 });
}

const total = (sender: LogSender) => Object.values(sender.dropped).reduce((sum, count) => sum + count, 0);

async function whatArrives(fates: readonly Fate[], writers: readonly (readonly Action[])[]) {
  const sender = newSender();
  const server = new FaultyServer(fates);
  const end = new AbortController();
  const running = sessions(sender, server, end.signal);
  const written = await Promise.all(writers.map((actions, i) => write(sender, i + 1, actions)));
  await sender.whenEmpty();
  end.abort();
  await running;
  expect(sender.pending).toBe(0);
  expect(server.mostUnderWay).toBeLessThan(2);
  for (const { lines } of server.stored) {
    expect(lines.length).toBeGreaterThan(0);
    const bytes = lines.reduce((sum, { length }) => sum + length + lineOverheadBytes, 0);
    expect(bytes).toBeLessThanOrEqual(maxBatchBytes);
  }
  return { sender, server, written };
}

/** The lines of a source, each where it was stored first, and how often it was stored without need. */
function arrived(server: FaultyServer, source: number) {
  const batches = server.stored.filter((batch) => batch.source === source);
  const all = batches.flatMap(({ lines }) => lines);
  const unanswered = batches.filter(({ isAnswered }) => !isAnswered).flatMap(({ lines }) => lines);
  const times = (outputs: readonly string[], output: string) =>
    outputs.filter((one) => one === output).length;
  const lines = [...new Set(all)];
  const withoutNeed = lines.filter((output) => times(all, output) > 1 + times(unanswered, output));
  return { lines, withoutNeed };
}

const writers = fc.array(fc.array(action, { maxLength: 12 }), { minLength: 1, maxLength: 4 });

describe("a log sender on connections that fail", () => {
  it(
    "C3.14, C3.16 loses nothing that it accepted, and keeps the order; twice is only what had no answer",
    async () => {
      const timers = watchTimers();
      await fc.assert(
        fc.asyncProperty(fc.array(fate, { maxLength: 25 }), writers, async (fates, all) => {
          const { sender, server, written } = await whatArrives(fates, all);
          for (const [i, { accepted }] of written.entries()) {
            expect(arrived(server, i + 1)).toEqual({ lines: accepted, withoutNeed: [] });
          }
          const offered = written.reduce((sum, one) => sum + one.offered, 0);
          const accepted = written.reduce((sum, one) => sum + one.accepted.length, 0);
          expect(accepted + total(sender)).toBe(offered);
          // what is counted as queued is nothing again: as much fits as in a new one
          const lines = Array.from({ length: 30 }, (_, length) => ({ output: "x".repeat(length) }));
          const id = new Uint8Array(16);
          expect(sender.enqueue(id, lines)).toBe(newSender().enqueue(id, lines));
        }),
        runs(150),
      );
      expect(timers()).toEqual([]);
    },
    timeoutMs(20_000),
  );

  it(
    "C3.17 counts all that the server did not take once it takes no more",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fate, { maxLength: 12 }), writers, async (fates, all) => {
          const { sender, server, written } = await whatArrives([...fates, "limit reached"], all);
          const offered = written.reduce((sum, one) => sum + one.offered, 0);
          const stored = written.flatMap((_, i) => arrived(server, i + 1).lines);
          // a line without an answer may be stored, and be dropped when it should have been sent again
          const unanswered = new Set(
            server.stored
              .filter(({ isAnswered }) => !isAnswered)
              .flatMap(({ source, lines }) => lines.map((one) => `${source} ${one}`)),
          );
          const lost = offered - total(sender);
          expect(lost).toBeLessThanOrEqual(stored.length);
          expect(lost).toBeGreaterThanOrEqual(stored.length - unanswered.size);
          for (const [i, { accepted }] of written.entries()) {
            const { lines, withoutNeed } = arrived(server, i + 1);
            expect(withoutNeed).toEqual([]);
            // lines that come after the limit are no longer accepted, but counted
            if (!sender.isLimitReached) expect(lines).toEqual(accepted);
            else expect(accepted.slice(0, lines.length)).toEqual(lines);
          }
        }),
        runs(100),
      );
    },
    timeoutMs(20_000),
  );
});
