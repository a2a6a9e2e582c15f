import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { next, uint64, VarintAccumulator, varintLength, writeVarint } from "../../src/codec/index.js";
import { runs } from "../support/scale.js";
import { hex, recorded, vectors } from "../support/vectors.js";

interface Vector {
  name: string;
  bytes: string;
  ok: boolean;
  value?: string;
  used?: number;
  error?: string;
}

const { varints } = vectors<{ varints: Vector[] }>("drpc-frames");
const anyUint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function read(bytes: Uint8Array) {
  const varint = new VarintAccumulator();
  for (const [i, byte] of bytes.entries()) {
    const ended = varint.push(byte);
    if (ended === undefined) return "too long";
    if (ended) return { value: varint.take(), used: i + 1 };
  }
  return "cut";
}

describe("W4.1 varints", () => {
  it.each(varints)("reads $name as recorded", ({ bytes, ok, value, used, error }) => {
    const result = read(recorded(bytes));
    if (ok) expect(result).toEqual({ value: uint64(BigInt(value ?? "")), used });
    else expect(result).toBe(error === undefined ? "cut" : "too long");
  });

  it("writes the shortest form of every recorded value", () => {
    for (const { bytes, ok, value, used, name } of varints) {
      if (!ok || /padded|lost/.test(name)) continue;
      const out = new Uint8Array(10);
      const end = writeVarint(out, 0, uint64(BigInt(value ?? "")));
      expect(hex(out.subarray(0, end))).toBe(bytes.slice(0, 2 * (used ?? 0)));
    }
  });

  it("gives back every 64-bit value, in as many bytes as it says", () => {
    fc.assert(
      fc.property(anyUint64, (value) => {
        const out = new Uint8Array(10);
        const used = writeVarint(out, 0, uint64(value));
        expect(varintLength(uint64(value))).toBe(used);
        expect(read(out)).toEqual({ value: uint64(value), used });
      }),
      runs(100),
    );
  });

  it("counts up through the largest safe number to the largest value and round to zero", () => {
    expect(next(Number.MAX_SAFE_INTEGER)).toBe(2n ** 53n);
    expect(next(2n ** 53n)).toBe(2n ** 53n + 1n);
    expect(next(2n ** 64n - 1n)).toBe(0);
    fc.assert(
      fc.property(anyUint64, (v) => next(uint64(v)) === uint64(v + 1n)),
      runs(100),
    );
  });
});
