import { describe, expect, it } from "vitest";
import { retryCurve } from "../../src/client/index-node.js";

const taken = (curve: { next(): number }, count: number) =>
  Array.from({ length: count }, () => Number(curve.next().toPrecision(4)));

describe("C1.70 the curve of retries", () => {
  it("begins with none and grows by the golden ratio to its ceiling", () => {
    expect(taken(retryCurve(), 12)).toEqual([
      0, 161.8, 261.8, 423.6, 685.4, 1109, 1794, 2903, 4698, 7601, 10_000, 10_000,
    ]);
  });

  it("begins anew after a success", () => {
    const curve = retryCurve();
    const first = taken(curve, 4);
    curve.reset();
    expect(taken(curve, 4)).toEqual(first);
  });

  it("has floors and ceilings of others", () => {
    expect(taken(retryCurve({ floorMs: 1000, ceilingMs: 5000 }), 5)).toEqual([0, 1618, 2618, 4236, 5000]);
  });
});
