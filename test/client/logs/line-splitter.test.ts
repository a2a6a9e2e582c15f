import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter } from "../../../src/client/index-node.js";
import { runs } from "../../support/scale.js";

describe("a line splitter", () => {
  const split = (splitter: LineSplitter, ...chunks: (string | number[])[]) => {
    const found: string[] = [];
    for (const chunk of chunks) found.push(...splitter.push(Buffer.from(chunk as string)));
    return [...found, ...splitter.end()];
  };

  it.each([
    [["a\nb\n"], ["a", "b"]],
    [["a\r\nb\r\r\n\n"], ["a", "b\r", ""]],
    [
      ["a\r", "\nb"],
      ["a", "b"],
    ],
    [["no end"], ["no end"]],
    [["grö", "ße\n"], ["größe"]],
    [[""], []],
  ])("C3.23 makes of %j: %j", (chunks, expected) => {
    expect(split(new LineSplitter(), ...chunks)).toEqual(expected);
  });

  it("C3.7 makes one mark of each run of bytes that are no text", () => {
    const splitter = new LineSplitter();
    expect(
      split(splitter, [0x61, 0xff, 0xfe, 0x62, 0xc3, 0x0a, 0xef, 0xbf, 0xbd, 0xff, 0xef, 0xbf, 0x0a]),
    ).toEqual(["a❌b❌", "\uFFFD❌"]);
  });

  it("cuts a line that is too long, not within a character", () => {
    expect(split(new LineSplitter(4), "abcdefghi\nx")).toEqual(["abcd", "efgh", "i", "x"]);
    expect(split(new LineSplitter(4), "abcé漢z\n")).toEqual(["abc", "é", "漢z"]);
    expect(split(new LineSplitter(4), "abcd\nabcde\n")).toEqual(["abcd", "abcd", "e"]);
  });

  it("has no blank line for the end of a line that was as long as may be", () => {
    expect(split(new LineSplitter(4), "abcd\r\nabcd\n\nabcde\r\n\r\n")).toEqual([
      "abcd",
      "abcd",
      "",
      "abcd",
      "e",
      "",
    ]);
  });

  it("refuses a bound that a character does not fit in", () => {
    for (const wrong of [3, 0, Number.NaN]) expect(() => new LineSplitter(wrong)).toThrow(RangeError);
  });

  const pieces = fc.array(
    fc.constantFrom("a", "é", "漢", "🙂", "\n", "\r\n", "\r", "\0x").map((text) => Buffer.from(text)),
    { maxLength: 60 },
  );
  const bytes = fc.oneof(
    pieces.map((all) => Buffer.concat(all)),
    fc.uint8Array({ maxLength: 80 }).map((all) => Buffer.from(all)),
  );

  it.each([4, 5, 7, 16, 65_536])("makes the same lines of up to %i bytes however its input is cut", (max) => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(160)), (input, cuts) => {
        const splitter = new LineSplitter(max);
        const found: string[] = [];
        let start = 0;
        for (const cut of [...cuts.filter((at) => at < input.length), input.length].sort((a, b) => a - b)) {
          const chunk = Buffer.from(input.subarray(start, cut));
          found.push(...splitter.push(chunk));
          // what was given may be used again
          chunk.fill(0x7e);
          start = cut;
        }
        found.push(...splitter.end(), ...splitter.end());
        expect(found).toEqual(split(new LineSplitter(max), [...input]));
      }),
      runs(200),
    );
  });

  it("loses no byte of text, whatever its bound is", () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 4, max: 20 }), (all, max) => {
        const text = Buffer.concat(all).toString().replaceAll("\r", "");
        const found = split(new LineSplitter(max), text);
        expect(found.join("")).toBe(text.replaceAll("\n", "").replaceAll("\0", "❌"));
        for (const line of found)
          expect(Buffer.byteLength(line.replaceAll("❌", "0"))).toBeLessThanOrEqual(max);
      }),
      runs(200),
    );
  });
});
