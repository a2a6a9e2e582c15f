import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  nextResourceState,
  type SampleState,
  sampleState,
  updatedMonitor,
} from "../../src/server/handlers/resource-state.js";

const letters: Readonly<Record<string, SampleState>> = { O: "ok", N: "nok", U: "unknown" };
const samples = (text: string) => [...text].map((letter) => letters[letter] ?? "unknown");

/** `bad` samples that never stand one behind the other, in `count` of them. */
function scattered(bad: number, count: number): SampleState[] {
  return Array.from({ length: count }, (_, i) => (i % 2 === 0 && i / 2 < bad ? "nok" : "ok"));
}

describe("S3.70 a sample", () => {
  it.each([
    [79n, 100n, "ok"],
    [80n, 100n, "nok"],
    [799n, 1000n, "ok"],
    [0n, 0n, "ok"],
    [5n, -1n, "ok"],
    [2n ** 60n, 2n ** 60n, "nok"],
  ])("of %d in %d against 80 per cent is %s", (usedBytes, totalBytes, state) => {
    expect(sampleState({ usedBytes, totalBytes }, 80)).toBe(state);
  });

  it("that is missing is unknown", () => {
    expect(sampleState(undefined, 80)).toBe("unknown");
  });
});

describe("S3.71 the state after samples", () => {
  it.each([
    ["N", "nok"],
    ["OOOON", "nok"],
    ["OOOOOOOOON", "unchanged"],
    ["UUUU", "unchanged"],
    ["OU", "unchanged"],
    ["UN", "nok"],
    ["", "ok"],
    ["OOOO", "ok"],
  ])("%s is %s", (text, expected) => {
    for (const before of ["ok", "nok"] as const) {
      expect(nextResourceState(before, samples(text))).toBe(expected === "unchanged" ? before : expected);
    }
  });

  it("rounds half away from zero: 3 of 16 are 19 per cent, 39 of 200 are 20", () => {
    expect(nextResourceState("ok", scattered(3, 16))).toBe("ok");
    expect(nextResourceState("ok", scattered(39, 200))).toBe("nok");
    expect(nextResourceState("ok", scattered(38, 200))).toBe("ok");
  });

  it("is bad only where there is a bad sample, and good only where all are good", () => {
    const any = fc.array(fc.constantFrom<SampleState>("ok", "nok", "unknown"), { maxLength: 40 });
    fc.assert(
      fc.property(any, fc.constantFrom("ok" as const, "nok" as const), (list, before) => {
        const next = nextResourceState(before, list);
        if (next === "nok" && before === "ok") expect(list).toContain("nok");
        if (next === "ok" && before === "nok") expect(list.every((state) => state === "ok")).toBe(true);
      }),
    );
  });
});

describe("S3.72 a monitor", () => {
  const monitor = { enabled: true, thresholdPercent: 80, state: "ok" as const, debouncedUntilUs: undefined };
  const minute = 60_000_000;

  it("is news when it turns bad, and not again for half an hour", () => {
    const first = updatedMonitor(monitor, ["nok"], minute);
    expect(first).toEqual({
      monitor: { ...monitor, state: "nok", debouncedUntilUs: 31 * minute },
      isNews: true,
    });
    expect(updatedMonitor(first.monitor, ["nok"], 2 * minute).isNews).toBe(false);
    const good = updatedMonitor(first.monitor, ["ok"], 3 * minute);
    expect(good).toEqual({ monitor: { ...first.monitor, state: "ok" }, isNews: false });
    expect(updatedMonitor(good.monitor, ["nok"], 31 * minute).isNews).toBe(false);
    expect(updatedMonitor(good.monitor, ["nok"], 31 * minute + 1).isNews).toBe(true);
  });
});
