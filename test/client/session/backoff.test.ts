import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff } from "../../../src/client/session/backoff.js";

describe("the wait before a dial", () => {
  it("is anywhere below a limit that doubles up to its cap, and stays anywhere at the cap", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1000, max: 60_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (firstMs, maxMs, random) => {
          const backoff = new Backoff({ firstMs, maxMs, random: () => random });
          for (let i = 0; i < 20; i++) {
            const limitMs = Math.min(maxMs, firstMs * 2 ** i);
            expect(backoff.next()).toBeCloseTo(random * limitMs, 6);
          }
        },
      ),
    );
  });

  it("begins anew after a connection that was good, with a wider first wait", () => {
    const backoff = new Backoff({ firstMs: 100, spreadMs: 3000, maxMs: 10_000, random: () => 0.5 });
    for (let i = 0; i < 10; i++) backoff.next();
    expect(backoff.nextAfter(59_999)).toBe(5000);
    expect(backoff.nextAfter(60_000)).toBe(1500);
    expect(backoff.next()).toBe(3000);
    expect(backoff.next()).toBe(5000);
  });
});
