import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeError,
  decodeMetadata,
  encodeError,
  encodeMetadata,
  uint64,
  WireError,
} from "../../src/codec/index.js";
import { runs } from "../support/scale.js";
import { hex, type RecordedBytes, recorded, vectors } from "../support/vectors.js";

interface ErrorVector {
  name: string;
  bytes: RecordedBytes;
  code: string;
  text: string;
  made: boolean;
}
interface MetadataVector {
  name: string;
  pairs: { key: string; value: string }[] | [string, string][];
  bytes: RecordedBytes[];
}
interface InvalidMetadata {
  name: string;
  bytes: string;
  error?: string;
  pairs?: Record<string, string>;
}

const { errors, metadata, metadataInvalid } = vectors<{
  errors: ErrorVector[];
  metadata: MetadataVector[];
  metadataInvalid: InvalidMetadata[];
}>("drpc-frames");

function pairsOf({ pairs }: MetadataVector): [string, string][] {
  return pairs.map((pair) => (Array.isArray(pair) ? pair : [pair.key, pair.value]));
}

describe("W4.7 error payloads", () => {
  it.each(errors)("reads $name as recorded", ({ bytes, code, text }) => {
    expect(decodeError(recorded(bytes))).toEqual({ code: uint64(BigInt(code)), text });
  });

  it.each(errors.filter((e) => e.made))("writes $name as recorded", ({ bytes, code, text }) => {
    expect(hex(encodeError(uint64(BigInt(code)), text))).toBe(hex(recorded(bytes)));
  });

  it("keeps any code and any text", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.string({ unit: "grapheme" }),
        (code, text) => {
          const payload = { code: uint64(code), text };
          expect(decodeError(encodeError(payload.code, payload.text))).toEqual(payload);
        },
      ),
      runs(100),
    );
  });
});

describe("W4.6 metadata", () => {
  it.each(metadata)("writes and reads $name as recorded", (vector) => {
    const pairs = pairsOf(vector);
    const bytes = Buffer.concat(vector.bytes.map(recorded));
    expect(hex(encodeMetadata(pairs))).toBe(hex(bytes));
    expect(decodeMetadata(bytes)).toEqual(new Map(pairs));
  });

  it.each(metadataInvalid)("makes of $name what the reference makes", ({ bytes, error, pairs }) => {
    if (pairs !== undefined) {
      expect(decodeMetadata(recorded(bytes))).toEqual(new Map(Object.entries(pairs)));
      return;
    }
    const code = error?.includes("varint") ? "varint-too-long" : "metadata-invalid";
    expect(() => decodeMetadata(recorded(bytes))).toThrow(WireError);
    expect(() => decodeMetadata(recorded(bytes))).toThrow(expect.objectContaining({ code }));
  });

  it("either reads or refuses any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeMetadata(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      runs(100),
    );
  });

  it("gives back any pairs", () => {
    const text = fc.string();
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        expect(decodeMetadata(encodeMetadata(pairs))).toEqual(new Map(pairs));
      }),
      runs(100),
    );
  });
});
