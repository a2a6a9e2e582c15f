import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ApiError } from "../../src/server/api-error.js";
import {
  cleanPath,
  networkOf,
  RateLimited,
  RateLimiter,
  type RateLimitOptions,
} from "../../src/server/rate-limit.js";
import { runs } from "../support/scale.js";

/** A limiter with a clock that stands still until it is moved. */
function limiter(options: RateLimitOptions = {}, startMs = 6_000_000) {
  const clock = { nowMs: startMs };
  const limited = new RateLimiter({ nowMs: () => clock.nowMs, ...options });
  const refusal = (client = "ada", path = "/a") => {
    try {
      limited.count(client, path);
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(RateLimited);
      return error as RateLimited;
    }
  };
  /** How many of so many requests pass. */
  const passed = (count: number, client?: string, path?: string) =>
    Array.from({ length: count }, () => refusal(client, path)).filter((error) => error === undefined).length;
  return { clock, limited, refusal, passed };
}

describe("RateLimiter, S1.3", () => {
  it("lets 512 requests through in a minute, and answers the next with 429", () => {
    const { passed, refusal } = limiter();
    expect(passed(600)).toBe(512);
    const error = refusal();
    expect(error).toBeInstanceOf(ApiError);
    expect(new ApiError(429, "of another")).not.toBeInstanceOf(RateLimited);
    expect(error?.status).toBe(429);
    expect(JSON.stringify(error)).toBe(
      '{"message":"You\'ve been rate limited for sending more than 512 requests in 1m0s."}',
    );
  });

  it("counts each client and each path by itself, and spellings of a path together", () => {
    const { passed } = limiter({ requestsPerMinute: 3 });
    expect(passed(5)).toBe(3);
    expect(passed(5, "bob")).toBe(3);
    expect(passed(5, "ada", "/b")).toBe(3);
    expect(passed(5, "ada", "//a/")).toBe(0);
    expect(passed(5, "ada", "/b/./../a")).toBe(0);
  });

  it("lets through again what is no longer in the last minute", () => {
    const { clock, passed } = limiter({ requestsPerMinute: 60 });
    expect(passed(100)).toBe(60);
    clock.nowMs += 60_000;
    expect(passed(100)).toBe(0);
    clock.nowMs += 10_000; // a sixth of the minute before is over
    expect(passed(100)).toBe(10);
    clock.nowMs += 50_000; // nothing is left of it, and ten are of the last minute
    expect(passed(100)).toBe(50);
    clock.nowMs += 120_000;
    expect(passed(100)).toBe(60);
  });

  it("says when the next request is answered", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.tuple(fc.nat(90_000), fc.nat(60)), { minLength: 1, maxLength: 8 }),
        (requestsPerMinute, steps) => {
          const { clock, passed, refusal } = limiter({ requestsPerMinute });
          for (const [stepMs, count] of steps) {
            clock.nowMs += stepMs;
            passed(count);
          }
          const seconds = refusal()?.retryAfterSeconds;
          if (seconds === undefined) return;
          expect(seconds).toBeGreaterThanOrEqual(1);
          expect(seconds).toBeLessThanOrEqual(60);
          // the whole seconds are rounded up, the refusal is over at the latest then
          clock.nowMs += seconds * 1000 + 1;
          expect(refusal()).toBeUndefined();
        },
      ),
      runs(300),
    );
  });

  it("never lets more than twice the limit through in any minute", () => {
    const { clock, passed } = limiter({ requestsPerMinute: 10 });
    const times: number[] = [];
    for (let i = 0; i < 1000; i++) {
      clock.nowMs += 700;
      if (passed(1) === 1) times.push(clock.nowMs);
    }
    const most = Math.max(
      ...times.map((from) => times.filter((at) => at >= from && at < from + 60_000).length),
    );
    expect(most).toBeLessThanOrEqual(20);
    expect(times.length).toBeGreaterThan(90);
  });

  it.each([0, -1])("%i turns it off", (requestsPerMinute) => {
    const { passed, limited } = limiter({ requestsPerMinute });
    expect(passed(2_000)).toBe(2_000);
    expect(limited.size).toBe(0);
  });

  it("its memory is bounded; the oldest are forgotten first", () => {
    const { passed, limited, clock } = limiter({ requestsPerMinute: 1, maxKeys: 100 });
    for (let minute = 0; minute < 3; minute++) {
      for (let i = 0; i < 1_000; i++) passed(1, "ada", `/${minute}/${i}`);
      expect(limited.size).toBeLessThanOrEqual(200);
      clock.nowMs += 60_000;
    }
    clock.nowMs += 60_000;
    passed(1, "bob");
    expect(limited.size).toBe(1);
    for (let i = 0; i < 99; i++) passed(1, "ada", `/${i}`);
    expect(passed(1, "bob")).toBe(0);
    passed(1, "ada", "/99");
    expect(passed(1, "bob")).toBe(1);
  });

  it("a clock that goes back neither counts anew nor refuses for ever", () => {
    const { clock, passed } = limiter({ requestsPerMinute: 2 });
    expect(passed(3)).toBe(2);
    clock.nowMs -= 3_600_000;
    expect(passed(3)).toBe(0);
    clock.nowMs += 3_600_000 + 120_000;
    expect(passed(3)).toBe(2);
  });

  it("works with the clock of the process", () => {
    const limited = new RateLimiter({ requestsPerMinute: 1 });
    limited.count("ada", "/");
    expect(() => limited.count("ada", "/")).toThrow(RateLimited);
  });
});

describe("cleanPath", () => {
  it.each([
    ["", "/"],
    ["/", "/"],
    ["//a//b/", "/a/b"],
    ["/a/./b/../c", "/a/c"],
    ["/../../a", "/a"],
    ["a", "/a"],
  ])("%j is %j", (path, clean) => {
    expect(cleanPath(path)).toBe(clean);
  });
});

describe("networkOf", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["2001:DB8:0:1:a:b:c:d", "2001:db8:0:1::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["64:ff9b::1.2.3.4", "64:ff9b:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["/run/socket", "/run/socket"],
    [undefined, ""],
  ])("%j is %j", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
