import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type WebSocketFrame, WebSocketReader } from "../../src/observe/index.js";
import { runs } from "../support/scale.js";
import { cut } from "../support/vectors.js";

/** A frame as it is on the wire. */
function wire(
  opcode: number,
  payload: Uint8Array,
  { fin = true, mask = undefined as number[] | undefined } = {},
) {
  const { length } = payload;
  const size =
    length < 126
      ? [length]
      : length < 65536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  size[0] = (size[0] ?? 0) | (mask ? 0x80 : 0);
  const body = payload.map((byte, i) => byte ^ (mask?.[i & 3] ?? 0));
  return Buffer.from([(fin ? 0x80 : 0) | opcode, ...size, ...(mask ?? []), ...body]);
}

function read(pieces: readonly Uint8Array[]) {
  const reader = new WebSocketReader();
  const frames: WebSocketFrame[] = [];
  const binary: Uint8Array[] = [];
  for (const piece of pieces) {
    reader.push(piece, { onFrame: (frame) => frames.push(frame), onBinary: (bytes) => binary.push(bytes) });
  }
  return { frames, binary: Buffer.concat(binary) };
}

const mask = [1, 2, 3, 250];
const big = Buffer.alloc(70_000, "abc");

describe("WebSocket frames that go by", () => {
  it("are told with opcode and length, and binary payloads are unmasked", () => {
    const { frames, binary } = read([
      wire(2, Buffer.from("hello"), { mask }),
      wire(9, Buffer.from("ping"), { mask }),
      wire(1, Buffer.from("text")),
      wire(2, Buffer.alloc(300, 7)),
      wire(2, big, { mask }),
      wire(8, Buffer.concat([Buffer.from([3, 0xe8]), Buffer.from("bye")]), { mask }),
    ]);
    expect(frames).toEqual([
      { opcode: "binary", bytes: 5, isPart: false },
      { opcode: "ping", bytes: 4, isPart: false },
      { opcode: "text", bytes: 4, isPart: false },
      { opcode: "binary", bytes: 300, isPart: false },
      { opcode: "binary", bytes: 70_000, isPart: false },
      { opcode: "close", bytes: 5, isPart: false, code: 1000, reason: "bye" },
    ]);
    expect(binary).toEqual(Buffer.concat([Buffer.from("hello"), Buffer.alloc(300, 7), big]));
  });

  it("of one message are joined, with control frames between them", () => {
    const { frames, binary } = read([
      wire(2, Buffer.from("ab"), { fin: false, mask }),
      wire(10, new Uint8Array(0), { mask }),
      wire(0, Buffer.from("cd"), { mask }),
      wire(1, Buffer.from("no"), { fin: false }),
      wire(0, Buffer.from("no")),
    ]);
    expect(frames.map(({ opcode, isPart }) => `${opcode}${isPart ? "…" : ""}`)).toEqual([
      "binary…",
      "pong",
      "continuation",
      "text…",
      "continuation",
    ]);
    expect(binary.toString()).toBe("abcd");
  });

  it("are the same wherever they are cut", () => {
    const bytes = Buffer.concat([
      wire(2, Buffer.from("hello"), { mask }),
      wire(2, Buffer.alloc(300, 7), { mask }),
      wire(2, new Uint8Array(0)),
      wire(8, Buffer.from([3, 0xe9]), { mask }),
    ]);
    const whole = read([bytes]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (sizes) => {
        expect(read(cut(bytes, sizes))).toEqual(whole);
      }),
      runs(100),
    );
  });

  it.each([
    ["an unknown opcode", [0x83, 0], "opcode 3"],
    ["compression", [0xc2, 0], "compressed"],
    ["a long ping", [0x89, 126, 1, 0], "a ping has 256 bytes"],
    ["a length beyond all sense", [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255], "bytes"],
  ])("with %s cannot be read", (_what, bytes, text) => {
    expect(() => read([Buffer.from(bytes)])).toThrow(text);
  });
});
