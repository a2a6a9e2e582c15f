import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TimeLimit } from "../../src/client/time-limit.js";
import { unlessAborted, untilAborted } from "../../src/client/until-aborted.js";
import { withinMs } from "../../src/client/within-ms.js";

const never = new Promise<never>(() => {});

describe("waiting for the end of a signal", () => {
  it("is over when it ends, and at once where it has ended", async () => {
    const abort = new AbortController();
    let isOver = false;
    const waiting = untilAborted(abort.signal).then(() => {
      isOver = true;
    });
    await Promise.resolve();
    expect(isOver).toBe(false);
    abort.abort();
    await waiting;
    await untilAborted(abort.signal);
  });
});

describe("work unless a signal ends", () => {
  it("gives its value or its failure, and leaves nothing on the signal", async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(7), signal)).toBe(7);
    await expect(unlessAborted(Promise.reject(new Error("broken")), signal)).rejects.toThrow("broken");
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("fails with the signal's reason, and tells the value that comes too late", async () => {
    const abort = new AbortController();
    let resolve = (_value: number) => {};
    const promise = new Promise<number>((settle) => {
      resolve = settle;
    });
    const late: number[] = [];
    const value = unlessAborted(promise, abort.signal, (number) => late.push(number));
    abort.abort(new Error("enough"));
    await expect(value).rejects.toThrow("enough");
    resolve(7);
    await promise;
    expect(late).toEqual([7]);
    await expect(unlessAborted(never, abort.signal)).rejects.toThrow("enough");
  });
});

describe("work within a time", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is true when the work is done by then, and keeps no timer", async () => {
    expect(await withinMs(Promise.resolve(), 1000)).toBe(true);
    await expect(withinMs(Promise.reject(new Error("broken")), 1000)).rejects.toThrow("broken");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is false when the time was up first", async () => {
    const waiting = withinMs(never, 1000);
    await vi.advanceTimersByTimeAsync(999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toBe(false);
  });
});

describe("a time limit", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    ["as what has not answered", undefined, "no answer within 1000 ms"],
    ["with the text that it was given", "too slow", "too slow"],
  ])("ends its signal when the time has passed, %s", (_how, reason, text) => {
    const limit = new TimeLimit(1000, undefined, reason);
    vi.advanceTimersByTime(999);
    expect(limit).toMatchObject({ isOver: false, signal: { aborted: false } });
    vi.advanceTimersByTime(1);
    expect(limit).toMatchObject({ isOver: true, signal: { aborted: true, reason: new Error(text) } });
  });

  it("ends with the caller's signal, and leaves no timer and nothing on the signal once released", () => {
    const caller = new AbortController();
    const limit = new TimeLimit(1000, caller.signal);
    caller.abort(new Error("enough"));
    expect(limit).toMatchObject({ isOver: false, signal: { reason: new Error("enough") } });
    limit.release();
    expect(getEventListeners(caller.signal, "abort")).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("without a time ends by the caller's signal alone", () => {
    expect(new TimeLimit(undefined)).toMatchObject({ isOver: false, signal: { aborted: false } });
    expect(vi.getTimerCount()).toBe(0);
  });
});
