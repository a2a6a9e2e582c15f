import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BoundaryFrameReader,
  BoundaryTag,
  encodeBoundaryFrame,
  maxBoundaryPayloadBytes,
  WireError,
} from "../../src/codec/index.js";
import { runs } from "../support/scale.js";
import { cut, hex } from "../support/vectors.js";

function read(pieces: Uint8Array[]): {
  frames: [number, string][];
  error?: string;
  isBetweenFrames: boolean;
} {
  const frames: [number, string][] = [];
  const reader = new BoundaryFrameReader();
  try {
    for (const piece of pieces) reader.push(piece, (tag, payload) => frames.push([tag, hex(payload)]));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { frames, error: error.message, isBetweenFrames: false };
  }
  return { frames, isBetweenFrames: reader.isBetweenFrames };
}

describe("W5 boundary frames", () => {
  it("have a tag of 8 bits, a length of 24 bits and the payload", () => {
    expect(hex(encodeBoundaryFrame(BoundaryTag.Logs, Buffer.from("abc")))).toBe("01000003616263");
    expect(hex(encodeBoundaryFrame(BoundaryTag.Message, new Uint8Array(300)).subarray(0, 4))).toBe(
      "0200012c",
    );
  });

  it("may hold 32,768 bytes and no more, for writer and reader", () => {
    const largest = encodeBoundaryFrame(BoundaryTag.Logs, new Uint8Array(maxBoundaryPayloadBytes));
    expect(read([largest]).frames).toHaveLength(1);
    expect(() =>
      encodeBoundaryFrame(BoundaryTag.Message, new Uint8Array(maxBoundaryPayloadBytes + 1)),
    ).toThrow("message too large for tag 2: 32769 > 32768");
    expect(read([Buffer.from("02008001", "hex")])).toMatchObject({ frames: [], error: "message too large" });
  });

  it("with another tag are refused, before the size is looked at", () => {
    expect(read([Buffer.from("03ffffff", "hex")])).toMatchObject({ error: "unsupported tag: 3" });
    expect(read([Buffer.from("00000000", "hex")])).toMatchObject({ error: "unsupported tag: 0" });
  });

  it("of no length are a frame (C6.9)", () => {
    expect(read([Buffer.from("0100000001000000", "hex")]).frames).toEqual([
      [1, ""],
      [1, ""],
    ]);
  });

  it("are found wherever the bytes are cut", () => {
    const frame = fc
      .tuple(fc.constantFrom(1, 2, 9), fc.uint8Array({ maxLength: 50 }))
      .map(([tag, payload]) =>
        Buffer.concat([Buffer.from([tag, 0, payload.length >> 8, payload.length & 255]), payload]),
      );
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 8 }).map((f) => Buffer.concat(f)),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        (bytes, sizes) => {
          expect(read(cut(bytes, sizes))).toEqual(read([bytes]));
        },
      ),
      runs(100),
    );
  });
});
