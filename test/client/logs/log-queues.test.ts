import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogQueues } from "../../../src/client/logs/log-queues.js";
import type { QueuedLine } from "../../../src/client/logs/source-queue.js";
import { runs } from "../../support/scale.js";

const flushIntervalMs = 1000;
const maxBatchBytes = 50;
const lineOverheadBytes = 21;

function queuesAt(clock: { nowMs: number }) {
  return new LogQueues({ maxBatchBytes, lineOverheadBytes, flushIntervalMs, nowMs: () => clock.nowMs });
}

const line = (output: string): QueuedLine => ({ output, level: 3, createdAtMs: 0, bytes: output.length });

interface Modelled {
  source: string;
  lines: string[];
  madeAtMs: number;
  lastBatchAtMs: number | undefined;
  isFlushed: boolean;
}

/** The rules as they are written, on a list. */
class Model {
  queues: Modelled[] = [];

  add(source: string, output: string, nowMs: number): void {
    const known = this.queues.find((queue) => queue.source === source);
    if (known !== undefined) known.lines.push(output);
    else {
      const isFlushed = false;
      this.queues.push({ source, lines: [output], madeAtMs: nowMs, lastBatchAtMs: undefined, isFlushed });
    }
  }

  flush(source: string): void {
    for (const queue of this.queues) if (queue.source === source) queue.isFlushed = true;
  }

  next(nowMs: number, isPressed: boolean): Modelled | undefined {
    const isDue = ({ lastBatchAtMs, isFlushed }: Modelled) =>
      lastBatchAtMs === undefined || nowMs - lastBatchAtMs >= flushIntervalMs || isFlushed;
    if (!isPressed && !this.queues.some(isDue)) return undefined;
    const since = ({ lastBatchAtMs, madeAtMs }: Modelled) =>
      lastBatchAtMs === undefined ? madeAtMs : lastBatchAtMs + flushIntervalMs;
    const isNew = ({ lastBatchAtMs }: Modelled) => (lastBatchAtMs === undefined ? 0 : 1);
    // a stable sort: those of the same time stay in the order in which they were put here
    return [...this.queues].sort((a, b) => since(a) - since(b) || isNew(a) - isNew(b))[0];
  }

  batch({ lines }: Modelled): string[] {
    let bytes = 0;
    return lines.filter((output) => {
      bytes += output.length + lineOverheadBytes;
      return bytes <= maxBatchBytes;
    });
  }

  sent(queue: Modelled, count: number, nowMs: number): void {
    queue.lines.splice(0, count);
    queue.lastBatchAtMs = nowMs;
    this.queues = this.queues.filter((one) => one !== queue);
    if (queue.lines.length > 0) this.queues.push(queue);
  }
}

const source = fc.constantFrom("a", "b", "c", "d");
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), source, length: fc.nat(29) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("flush" as const), source }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 400, 1000, 2500) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      isLost: fc.boolean(),
      isPressed: fc.boolean(),
      meanwhile: fc.array(source, { maxLength: 3 }),
    }),
  },
);

describe("the queues of a log sender", () => {
  it("C3.9–C3.12, C3.15, C3.16, C3.21 are as the rules say, whatever is done with them", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const clock = { nowMs: 0 };
        const queues = queuesAt(clock);
        const model = new Model();
        let count = 0;
        const add = (to: string, length: number) => {
          const output = String(count++).padEnd(length, ".");
          queues.add(to, line(output));
          model.add(to, output, clock.nowMs);
        };
        for (const step of actions) {
          if (step.kind === "add") add(step.source, step.length);
          if (step.kind === "pass") clock.nowMs += step.ms;
          if (step.kind === "flush") {
            queues.flush(step.source);
            model.flush(step.source);
          }
          if (step.kind === "send") {
            const turn = queues.next(step.isPressed);
            const expected = model.next(clock.nowMs, step.isPressed);
            expect(turn?.source).toBe(expected?.source);
            if (turn === undefined || expected === undefined) continue;
            const batch = queues.begin(turn);
            expected.isFlushed = false;
            expect(batch.map(({ output }) => output)).toEqual(model.batch(expected));
            for (const to of step.meanwhile) add(to, 5);
            clock.nowMs += 7;
            if (step.isLost) continue;
            queues.sent(turn, batch);
            model.sent(expected, batch.length, clock.nowMs);
          }
          const waiting = model.queues.flatMap(({ lines }) => lines);
          expect([queues.lines, queues.bytes]).toEqual([waiting.length, waiting.join("").length]);
          expect(queues.dueInMs() <= 0).toBe(model.next(clock.nowMs, false) !== undefined);
        }
        expect(queues.clear()).toBe(model.queues.flatMap(({ lines }) => lines).length);
        expect([queues.lines, queues.bytes, queues.next(true)]).toEqual([0, 0, undefined]);
      }),
      runs(300),
    );
  });

  it("C3.11 the oldest is sent when any is due, and a new one before it", () => {
    const clock = { nowMs: 0 };
    const queues = queuesAt(clock);
    const sendFrom = (expected: string) => {
      const turn = queues.next();
      expect(turn?.source).toBe(expected);
      if (turn !== undefined) queues.sent(turn, queues.begin(turn));
    };
    for (const id of ["a", "b", "a", "b", "a", "b", "a", "b"]) queues.add(id, line("x".repeat(20)));
    sendFrom("a");
    clock.nowMs = 10;
    sendFrom("b");
    expect([queues.next(), queues.dueInMs()]).toEqual([undefined, 990]);
    queues.flush("b");
    sendFrom("a");
    sendFrom("b");
    queues.add("c", line("x"));
    sendFrom("c");
    expect([queues.next(), queues.dueInMs()]).toEqual([undefined, 1000]);
  });

  it("let no source wait for ever because of others whose queues are new again and again", () => {
    const clock = { nowMs: 0 };
    const queues = queuesAt(clock);
    for (let i = 0; i < 4; i++) queues.add("large", line("x".repeat(20)));
    const order: string[] = [];
    for (let i = 0; queues.lines > 0 && i < 60; i++) {
      // there is always a new one, which one batch empties
      if (i < 50) queues.add(`${i % 3}`, line("x"));
      const turn = queues.next();
      clock.nowMs += 100;
      if (turn === undefined) continue;
      order.push(turn.source);
      queues.sent(turn, queues.begin(turn));
    }
    const turns = order.flatMap((id, i) => (id === "large" ? [i] : []));
    expect(turns).toHaveLength(4);
    for (const [i, at] of turns.entries()) expect(at - (turns[i - 1] ?? 0)).toBeLessThan(16);
    expect(turns.at(-1)).toBeLessThan(50);
  });
});
