import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../src/testing/index.js";

const startMs = Date.UTC(2026, 0, 1);

describe("a fake clock", () => {
  it("stands still until it is advanced, and runs timers at their times, the earlier first", async () => {
    const clock = new FakeClock({ startMs });
    const ran: [string, number][] = [];
    const note = (what: string) => ran.push([what, clock.now() - startMs]);
    clock.setTimeout(() => note("late"), 5000);
    clock.setTimeout(() => note("early"), 1000);
    clock.setTimeout((what) => note(String(what)), 1000, "early as well");
    clock.clearTimeout(clock.setTimeout(() => note("never"), 1000));
    const interval = clock.setInterval(() => note("again"), 2000);
    await clock.advance(999);
    expect(ran).toEqual([]);
    await clock.advance(4001);
    expect(ran).toEqual([
      ["early", 1000],
      ["early as well", 1000],
      ["again", 2000],
      ["again", 4000],
      ["late", 5000],
    ]);
    expect(clock.now() - startMs).toBe(5000);
    clock.clearInterval(interval);
    expect(clock.pendingCount).toBe(0);
  });

  it("runs what timers set on the way, and what awaits them", async () => {
    const clock = new FakeClock({ startMs });
    const pause = (ms: number) => new Promise((resolve) => clock.setTimeout(resolve, ms));
    const times: number[] = [];
    const story = (async () => {
      for (let i = 0; i < 3; i++) {
        await pause(10_000);
        times.push(clock.now() - startMs);
      }
    })();
    await clock.advance(60_000);
    await story;
    expect(times).toEqual([10_000, 20_000, 30_000]);
  });

  it("passes on what a timer throws, and can be advanced again", async () => {
    const clock = new FakeClock({ startMs });
    clock.setTimeout(() => {
      throw new Error("a timer failed");
    }, 10);
    await expect(clock.advance(20)).rejects.toThrow("a timer failed");
    await clock.advance(5);
    expect(clock.now() - startMs).toBe(15);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("cannot be advanced by %s", async (ms) => {
    await expect(new FakeClock().advance(ms)).rejects.toThrow(RangeError);
  });

  it("cannot be advanced twice at a time", async () => {
    const clock = new FakeClock();
    const first = clock.advance(1);
    await expect(clock.advance(1)).rejects.toThrow("being advanced already");
    await first;
  });

  it("installed, it is the time and the timers of everything, until it is taken off", async () => {
    const real = { setTimeout, setInterval, clearTimeout, clearInterval, Date };
    const clock = new FakeClock({ startMs });
    const uninstall = clock.install();
    onTestFinished(uninstall);
    expect(() => clock.install()).toThrow("installed already");
    expect([Date.now(), Number(new Date(5)), new Date().toISOString()]).toEqual([
      startMs,
      5,
      "2026-01-01T00:00:00.000Z",
    ]);
    expect(Date()).toBe(new real.Date(startMs).toString());
    expect(new Date()).toBeInstanceOf(real.Date);
    const beganMs = performance.now();
    let hasRun = false;
    setTimeout(() => {
      hasRun = true;
    }, 60_000).unref();
    const interval = setInterval(() => {}, 1000);
    await clock.advance(60_000);
    expect(hasRun).toBe(true);
    expect(performance.now() - beganMs).toBe(60_000);
    expect(performance.timeOrigin + performance.now()).toBeCloseTo(clock.now(), 0);
    clearInterval(interval);
    expect(clock.pendingCount).toBe(0);
    uninstall();
    uninstall();
    expect({ setTimeout, setInterval, clearTimeout, clearInterval, Date }).toEqual(real);
    expect(performance.now()).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 1));
  });
});
