import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DERPMap } from "../../../../src/gen/coder/tailnet/v2/index_pb.js";
import { derpMapFrom } from "../../../../src/server/index.js";
import { derpMap } from "./maps.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const namesOf = (maps: readonly DERPMap[]) => maps.map(({ regions }) => regions["7"]?.nodes[0]?.hostName);

describe("derpMapFrom", () => {
  it("asks whenever the map is wanted, and from time to time only while somebody follows it", () => {
    const fn = vi.fn(() => derpMap());
    const source = derpMapFrom(fn);
    expect(fn).not.toHaveBeenCalled();
    void source.current;
    vi.advanceTimersByTime(60_000);
    expect(fn).toHaveBeenCalledTimes(1);
    const ends = [source.subscribe(() => {}), source.subscribe(() => {})];
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(15_000);
    expect(fn).toHaveBeenCalledTimes(4);
    for (const end of ends) end();
    expect(vi.getTimerCount()).toBe(0);
    ends[0]?.();
    source.subscribe(() => {});
    expect(vi.getTimerCount()).toBe(1);
    void source.close?.();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("tells each listener of maps that differ, and of no others (S4.4)", () => {
    let hostName = "a.example.com";
    const source = derpMapFrom(() => derpMap(hostName), { intervalMs: 10 });
    const told: DERPMap[] = [];
    source.subscribe((map) => told.push(map));
    source.subscribe(() => {
      throw new Error("a listener of no use");
    });
    source.subscribe((map) => told.push(map));
    void source.current;
    vi.advanceTimersByTime(30);
    expect(told).toEqual([]);
    hostName = "b.example.com";
    vi.advanceTimersByTime(30);
    expect(namesOf(told)).toEqual(["b.example.com", "b.example.com"]);
    expect(told[0]).toBe(told[1]);
  });

  it("tells those who have the map of between two looks when it is the old one again", () => {
    let hostName = "a.example.com";
    const source = derpMapFrom(() => derpMap(hostName), { intervalMs: 10 });
    const told: DERPMap[] = [];
    void source.current;
    source.subscribe((map) => told.push(map));
    hostName = "b.example.com";
    expect(namesOf([source.current])).toEqual(["b.example.com"]);
    hostName = "a.example.com";
    vi.advanceTimersByTime(10);
    expect(namesOf(told)).toEqual(["b.example.com", "a.example.com"]);
  });

  it("sees what was changed in the same object, and gives home params of now", () => {
    const map = derpMap("a.example.com");
    const source = derpMapFrom(() => map, { intervalMs: 10 });
    const told: DERPMap[] = [];
    source.subscribe((next) => told.push(next));
    const before = source.current;
    if (map.homeParams !== undefined) map.homeParams.regionScore = { "7": 2 };
    vi.advanceTimersByTime(10);
    expect(told).toEqual([]);
    expect(source.current.homeParams?.regionScore).toEqual({ "7": 2 });
    const node = map.regions["7"]?.nodes[0];
    if (node !== undefined) node.hostName = "b.example.com";
    vi.advanceTimersByTime(10);
    expect(namesOf([before, ...told])).toEqual(["a.example.com", "b.example.com"]);
  });

  it("keeps the last map while the function throws, and says so once", () => {
    let fault: string | undefined;
    const problems: string[] = [];
    const source = derpMapFrom(
      () => {
        if (fault !== undefined) throw new Error(fault);
        return derpMap();
      },
      { intervalMs: 10, onProblem: ({ message }) => problems.push(message) },
    );
    source.subscribe(() => {});
    fault = "none yet";
    expect(() => source.current).toThrow("none yet");
    vi.advanceTimersByTime(10);
    fault = undefined;
    expect(namesOf([source.current])).toEqual(["relay.example.com"]);
    fault = "gone";
    vi.advanceTimersByTime(100);
    expect(namesOf([source.current])).toEqual(["relay.example.com"]);
    fault = undefined;
    vi.advanceTimersByTime(10);
    fault = "gone";
    vi.advanceTimersByTime(100);
    expect(problems).toEqual(["none yet", "gone", "gone"]);
  });
});
