import { describe, expect, it } from "vitest";
import { loadOptional } from "../../../src/server/engines/optional-package.js";
import { backoffMs, within } from "../../../src/server/engines/waits.js";

describe("an optional package", () => {
  it("that is missing is named with the command that installs it", async () => {
    const missing = "agentwire-package-that-nobody-has";
    const loading = loadOptional("Events over PostgreSQL", "pg", () => import(missing));
    await expect(loading).rejects.toThrow(
      /^Events over PostgreSQL need a package that is not installed: npm install pg$/,
    );
  });

  it("that is there and fails says why by itself", async () => {
    const failing = () => Promise.reject(new SyntaxError("on purpose"));
    await expect(loadOptional("Events over NATS", "nats", failing)).rejects.toThrow(SyntaxError);
  });
});

describe("the pause before the next attempt", () => {
  it("is anywhere below a limit that doubles, and ends at the longest", () => {
    for (const [attempt, limit] of [
      [0, 100],
      [3, 800],
      [50, 10_000],
    ] as const) {
      const pauses = Array.from({ length: 500 }, () => backoffMs(attempt, 10_000));
      expect(Math.max(...pauses)).toBeLessThanOrEqual(limit);
      expect(Math.max(...pauses)).toBeGreaterThan(limit * 0.9);
      expect(Math.min(...pauses)).toBeLessThan(limit * 0.1);
    }
  });
});

describe("a wait", () => {
  it("ends", async () => {
    const never = new Promise<never>(() => undefined);
    await expect(within(never, 10, "an answer")).rejects.toThrow("an answer took longer than 10 ms");
    await expect(within(Promise.resolve(1), 10, "an answer")).resolves.toBe(1);
  });
});
