import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WaitingLine } from "../../src/transport/waiting-line.js";
import { runs } from "../support/scale.js";

type Step = { kind: "wait" | "serve" | "serveAll" | "rejectAll" } | { kind: "leave"; who: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ kind: "wait" }) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: "serve" }) },
  { weight: 2, arbitrary: fc.nat(30).map<Step>((who) => ({ kind: "leave", who })) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "serveAll" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "rejectAll" }) },
);

/** What became of callers, in the order in which it did, by a list that does the same the plain way. */
function byTheModel(steps: readonly Step[]): { outcomes: string[]; lengths: number[] } {
  const outcomes: string[] = [];
  let line: number[] = [];
  let count = 0;
  const lengths = steps.map((step, i) => {
    if (step.kind === "wait") line.push(count++);
    if (step.kind === "serve" && line.length > 0) outcomes.push(`${line.shift()} served at ${i}`);
    if (step.kind === "serveAll") outcomes.push(...line.splice(0).map((who) => `${who} served at ${i}`));
    if (step.kind === "leave" && line.includes(step.who)) {
      outcomes.push(`${step.who} left`);
      line = line.filter((who) => who !== step.who);
    }
    if (step.kind === "rejectAll") outcomes.push(...line.splice(0).map((who) => `${who} rejected at ${i}`));
    return line.length;
  });
  return { outcomes, lengths };
}

async function byTheLine(steps: readonly Step[]): Promise<{ outcomes: string[]; lengths: number[] }> {
  const outcomes: string[] = [];
  const line = new WaitingLine<string>();
  const callers: AbortController[] = [];
  const lengths: number[] = [];
  for (const [i, step] of steps.entries()) {
    if (step.kind === "wait") {
      const who = callers.length;
      const caller = new AbortController();
      callers.push(caller);
      line.wait(caller.signal).then(
        (value) => outcomes.push(`${who} ${value}`),
        (reason: unknown) => outcomes.push(`${who} ${reason}`),
      );
    }
    if (step.kind === "serve") expect(line.serve(`served at ${i}`)).toBe((lengths.at(-1) ?? 0) > 0);
    if (step.kind === "serveAll") line.serveAll(`served at ${i}`);
    if (step.kind === "leave") callers[step.who]?.abort("left");
    if (step.kind === "rejectAll") line.rejectAll(`rejected at ${i}`);
    lengths.push(line.length);
    await Promise.resolve();
  }
  await new Promise((resolve) => setImmediate(resolve));
  return { outcomes, lengths };
}

describe("a waiting line", () => {
  it("serves in order, and lets anybody leave, as a list would", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        expect(await byTheLine(steps)).toEqual(byTheModel(steps));
      }),
      runs(300),
    );
  });

  it("does not take who comes with a signal that has ended", async () => {
    const line = new WaitingLine<void>();
    await expect(line.wait(AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
    expect(line.length).toBe(0);
    expect(line.serve()).toBe(false);
  });

  it("keeps its order with very many, also when every second one leaves", async () => {
    const count = 100_000;
    const line = new WaitingLine<void>();
    const served: number[] = [];
    const leaving: AbortController[] = [];
    for (let i = 0; i < count; i += 2) {
      const leaver = new AbortController();
      leaving.push(leaver);
      void line.wait().then(() => served.push(i));
      line.wait(leaver.signal).catch(() => {});
    }
    for (const leaver of leaving) leaver.abort(new Error("left"));
    expect(line.length).toBe(count / 2);
    line.serveAll();
    await new Promise((resolve) => setImmediate(resolve));
    expect(served).toEqual(Array.from({ length: count / 2 }, (_, i) => 2 * i));
  });
});
