import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { atTimesOf } from "../../src/agent/scripts/schedule.js";

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(2026, 0, 1, 12, 0, 30) });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What a schedule has done so far. */
function begun(cron: string, doIt: () => Promise<unknown> = async () => {}) {
  const abort = new AbortController();
  const times: string[] = [];
  const end = atTimesOf(cron, abort.signal, () => {
    times.push(new Date().toTimeString().slice(0, 8));
    return doIt();
  }).catch((error: unknown) => error);
  return { abort, times, end };
}

it("a schedule of five fields is kept to the minute", async () => {
  const { times, abort, end } = begun("*/2 * * * *");
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(times).toEqual(["12:02:00", "12:04:00"]);
  abort.abort(new Error("enough"));
  expect(await end).toMatchObject({ message: "enough" });
  expect(vi.getTimerCount()).toBe(0);
});

it("a schedule of six fields begins with seconds", async () => {
  const { times, abort } = begun("*/20 * * * * *");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(times).toEqual(["12:00:40", "12:01:00", "12:01:20"]);
  abort.abort();
});

it("a run that takes longer than the schedule's interval is not joined by another", async () => {
  const { times, abort } = begun("* * * * *", () => new Promise((resolve) => setTimeout(resolve, 150_000)));
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(times).toEqual(["12:01:00", "12:04:00"]);
  abort.abort();
});

it("a clock that is set forward past some times has the script run once, not once for each", async () => {
  const { times, abort } = begun("0 * * * *");
  await vi.advanceTimersByTimeAsync(60_000);
  vi.setSystemTime(new Date(2026, 0, 1, 18, 30, 0));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(times).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(31 * 60_000);
  expect(times).toHaveLength(2);
  expect(times[1]).toBe("19:00:00");
  abort.abort();
});

it("a clock that is set back has the schedule kept by the new time", async () => {
  const { times, abort } = begun("0 * * * *");
  await vi.advanceTimersByTimeAsync(60_000);
  vi.setSystemTime(new Date(2026, 0, 1, 6, 58, 0));
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  expect(times).toEqual(["07:00:00"]);
  abort.abort();
});

it("a text that is no schedule is told at once", async () => {
  const { end } = begun("every tuesday");
  expect(await end).toMatchObject({ message: expect.stringContaining('"every tuesday" is no schedule: ') });
});
