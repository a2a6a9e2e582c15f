import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { exchangedToken } from "../../../src/client/tokens/exchanged-token.js";
import { runs } from "../../support/scale.js";

const never = new AbortController().signal;

interface Attempt {
  signal: AbortSignal;
  give(token: string): void;
  fail(reason: string): void;
}

/** A provider whose exchanges end when the test says so. */
function provider(lazyTimeoutMs?: number) {
  const attempts: Attempt[] = [];
  const exchange = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      attempts.push({ signal, give: resolve, fail: (reason) => reject(new Error(reason)) });
    });
  return { token: exchangedToken("test", exchange, lazyTimeoutMs), attempts };
}

const last = (attempts: readonly Attempt[]): Attempt => {
  const attempt = attempts.at(-1);
  if (attempt === undefined) throw new Error("no exchange");
  return attempt;
};

describe("C1.31 a token that is exchanged", () => {
  it("is the same exchange for all who ask at the same time", async () => {
    const { token, attempts } = provider();
    const all = [token.get(never), token.refresh(never), token.get(never), token.refresh(never)];
    last(attempts).give("t");
    expect(await Promise.all(all)).toEqual(["t", "t", "t", "t"]);
    expect(attempts).toHaveLength(1);
  });

  it("is waited for by who asks during a refresh, and what there was stays when that fails", async () => {
    const { token, attempts } = provider();
    const first = token.refresh(never);
    last(attempts).give("old");
    await first;
    const refresh = token.refresh(never);
    const during = token.get(never);
    last(attempts).fail("no");
    await expect(refresh).rejects.toThrow("no");
    expect(await during).toBe("old");
    expect(await token.get(never)).toBe("old");
    const again = token.refresh(never);
    const also = token.get(never);
    last(attempts).give("new");
    expect(await Promise.all([again, also])).toEqual(["new", "new"]);
  });

  it("that fails is tried again by the next who asks, and is no empty token", async () => {
    const { token, attempts } = provider();
    const first = token.get(never);
    last(attempts).fail("no cloud");
    await expect(first).rejects.toThrow("no cloud");
    const second = token.get(never);
    last(attempts).give("t");
    expect(await second).toBe("t");
  });

  it("goes on when one of those who wait leaves, and ends when the last does", async () => {
    const { token, attempts } = provider();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = token.refresh(one.signal);
    const second = token.get(two.signal);
    one.abort(new Error("one left"));
    await expect(first).rejects.toThrow("one left");
    expect(last(attempts).signal.aborted).toBe(false);
    two.abort(new Error("two left"));
    await expect(second).rejects.toThrow("two left");
    expect(last(attempts).signal.aborted).toBe(true);
    const third = token.get(never);
    expect(attempts).toHaveLength(2);
    last(attempts).give("t");
    expect(await third).toBe("t");
  });

  it("is not begun for who has left already", async () => {
    const { token, attempts } = provider();
    await expect(token.refresh(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    await expect(token.get(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    expect(attempts).toHaveLength(0);
  });

  it("has ten seconds where nobody asked to refresh, and no time-out where somebody did", async () => {
    vi.useFakeTimers();
    try {
      const { token, attempts } = provider();
      const refresh = token.refresh(never);
      const lazy = token.get(never);
      const isLate = expect(lazy).rejects.toThrow("test: no answer within 10000 ms");
      await vi.advanceTimersByTimeAsync(9999);
      expect(last(attempts).signal.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      await isLate;
      expect(last(attempts).signal.aborted).toBe(false);
      last(attempts).give("t");
      expect(await refresh).toBe("t");
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is at every moment what a model says, whoever asks, leaves, and whatever comes of it", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom("get", "refresh") }),
      fc.record({ kind: fc.constant("leave"), who: fc.nat(5) }),
      fc.record({ kind: fc.constant("give") }),
      fc.record({ kind: fc.constant("fail") }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { token, attempts } = provider();
        const model = { known: undefined as string | undefined, isRunning: false, begun: 0, given: 0 };
        const waiting: { abort: AbortController; result: Promise<string>; kind: string }[] = [];
        for (const step of steps) {
          if (step.kind === "get" || step.kind === "refresh") {
            const abort = new AbortController();
            const result = token[step.kind](abort.signal).catch((error: Error) => error.message);
            if (step.kind === "get" && model.known !== undefined && !model.isRunning) {
              expect(await result).toBe(model.known);
              continue;
            }
            if (!model.isRunning) model.begun++;
            model.isRunning = true;
            waiting.push({ abort, result, kind: step.kind });
          } else if (step.kind === "leave") {
            const [one] = waiting.splice("who" in step ? step.who % (waiting.length || 1) : 0, 1);
            one?.abort.abort(new Error("left"));
            if (one !== undefined) expect(await one.result).toBe("left");
            if (waiting.length === 0) model.isRunning = false;
          } else if (model.isRunning) {
            const isGiven = step.kind === "give";
            const outcome = isGiven ? `token ${++model.given}` : "refused";
            if (isGiven) last(attempts).give(outcome);
            else last(attempts).fail(outcome);
            for (const { result, kind } of waiting.splice(0)) {
              const expected =
                kind === "get" && !isGiven ? (model.known ?? "[unavailable] test: refused") : outcome;
              expect(await result).toBe(expected);
            }
            if (isGiven) model.known = outcome;
            model.isRunning = false;
          }
          expect(attempts).toHaveLength(model.begun);
        }
        for (const { abort } of waiting) abort.abort(new Error("over"));
        await Promise.all(waiting.map(({ result }) => result));
        expect(attempts.filter(({ signal }) => !signal.aborted)).toEqual([]);
      }),
      runs(300),
    );
  });
});
