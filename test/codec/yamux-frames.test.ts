import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameType, readHeader, WireError, writeHeader, YamuxFrameReader } from "../../src/codec/index.js";
import { runs } from "../support/scale.js";
import { cut, hex, recorded, vectors } from "../support/vectors.js";

interface Header {
  name: string;
  version: number;
  type: number;
  flags: number;
  stream: number;
  length: number;
  bytes: string;
}

const { headers } = vectors<{ headers: Header[] }>("yamux-frames");

interface Found {
  type: number;
  flags: number;
  streamId: number;
  length: number;
  body: number[];
  ended: boolean;
}

function readFrames(pieces: Uint8Array[]) {
  const frames: Found[] = [];
  const reader = new YamuxFrameReader();
  const sink = {
    onFrame(type: number, flags: number, streamId: number, length: number) {
      frames.push({
        type,
        flags,
        streamId,
        length,
        body: [],
        ended: type !== FrameType.Data || length === 0,
      });
    },
    onBody(bytes: Uint8Array, isLast: boolean) {
      const frame = frames[frames.length - 1];
      if (frame === undefined) throw new Error("a body before its header");
      frame.body.push(...bytes);
      frame.ended = isLast;
    },
  };
  try {
    for (const piece of pieces) reader.push(piece, sink);
  } catch (error) {
    if (error instanceof WireError) return { frames, error: error.code };
    throw error;
  }
  return { frames, isBetweenFrames: reader.isBetweenFrames };
}

describe("W3.1 headers", () => {
  it.each(headers)("reads and writes $name", ({ version, type, flags, stream, length, bytes }) => {
    const header = { version, type, flags, streamId: stream, length };
    expect(readHeader(recorded(bytes), 0)).toEqual(header);
    const out = new Uint8Array(12);
    expect(writeHeader(out, 0, type, flags, stream, length)).toBe(12);
    out[0] = version;
    expect(hex(out)).toBe(bytes);
    const known = version === 0 && type <= FrameType.GoAway;
    const { frames, error } = readFrames([recorded(bytes)]);
    expect(error).toBe(known ? undefined : version === 0 ? "yamux-type" : "yamux-version");
    expect(frames).toEqual(
      known ? [{ type, flags, streamId: stream, length, body: [], ended: type !== 0 || length === 0 }] : [],
    );
  });
});

describe("W1.1 boundaries carry no meaning", () => {
  const frame = fc
    .record({
      type: fc.integer({ min: 0, max: 4 }),
      flags: fc.integer({ min: 0, max: 0xffff }),
      stream: fc.integer({ min: 0, max: 0xffffffff }),
      body: fc.uint8Array({ maxLength: 40 }),
      other: fc.integer({ min: 0, max: 0xffffffff }),
    })
    .map(({ type, flags, stream, body, other }) => {
      const head = new Uint8Array(12);
      writeHeader(head, 0, type, flags, stream, type === FrameType.Data ? body.length : other);
      return type === FrameType.Data ? Buffer.concat([head, body]) : head;
    });

  it("gives the same frames and bodies wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(frame, { maxLength: 10 }).map((frames) => Buffer.concat(frames)),
          fc.uint8Array({ maxLength: 100 }),
        ),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (bytes, sizes) => {
          expect(readFrames(cut(bytes, sizes))).toEqual(readFrames([bytes]));
        },
      ),
      runs(500),
    );
  });

  it("hands on a body as it comes, without waiting for the rest or copying", () => {
    const head = new Uint8Array(12);
    writeHeader(head, 0, FrameType.Data, 0, 1, 1000);
    const first = new Uint8Array(10);
    const bodies: [Uint8Array, boolean][] = [];
    const reader = new YamuxFrameReader();
    const sink = { onFrame() {}, onBody: (b: Uint8Array, isLast: boolean) => bodies.push([b, isLast]) };
    reader.push(head, sink);
    reader.push(first, sink);
    expect(bodies).toEqual([[first, false]]);
    expect(bodies[0]?.[0].buffer).toBe(first.buffer);
    reader.push(new Uint8Array(990), sink);
    expect(bodies[1]?.[1]).toBe(true);
    expect(reader.isBetweenFrames).toBe(true);
  });
});
