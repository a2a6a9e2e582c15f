import { describe, expect, it } from "vitest";
import { frameLength, maxLogBytes, numberedLog } from "../../../src/local/boundary/log-frames.js";
import { LogNumbers } from "../../../src/local/boundary/log-numbers.js";

describe("numbers of boundary logs", () => {
  it("end with 32 bits, where a new session begins at 0", () => {
    const numbers = new LogNumbers(2 ** 31 - 2);
    const seen = Array.from({ length: 4 }, () => {
      const { next } = numbers;
      numbers.advance();
      return next;
    });
    expect(seen.map(({ sequenceNumber }) => sequenceNumber)).toEqual([2 ** 31 - 2, 2 ** 31 - 1, 0, 1]);
    const [first, second, third, fourth] = seen.map(({ sessionId }) => sessionId);
    expect([first === second, second === third, third === fourth]).toEqual([true, false, true]);
  });

  it("of two sessions are never in one frame", () => {
    const numbers = new LogNumbers(2 ** 31 - 2);
    const logs = Array.from({ length: 5 }, () => {
      const log = numberedLog({ allowed: true, method: "GET", url: "u" }, numbers.next);
      numbers.advance();
      return log;
    });
    expect(frameLength(logs, 10)).toBe(2);
    expect(frameLength(logs.slice(2), 10)).toBe(3);
    expect(frameLength(logs.slice(2), 2)).toBe(2);
  });

  it("a log as large as it may be is alone in its frame", () => {
    const { next } = new LogNumbers();
    const log = { ...numberedLog({ allowed: true, method: "GET", url: "u" }, next), bytes: maxLogBytes };
    expect(frameLength([log, log], 10)).toBe(1);
  });
});
