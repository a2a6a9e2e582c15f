import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BytePieces,
  controlByte,
  encodePacket,
  PacketKind,
  PacketReader,
  packetLength,
  type Uint64,
  uint64,
  WireError,
  type WireErrorCode,
  writeFrameHeader,
} from "../../src/codec/index.js";
import { runs } from "../support/scale.js";
import { cut, hex, type RecordedBytes, recorded, vectors } from "../support/vectors.js";

interface Packet {
  kind: number;
  control: boolean;
  stream: string;
  message: string;
  data: RecordedBytes;
}
interface FrameVector {
  name: string;
  frame: Packet & { done: boolean };
  bytes: RecordedBytes;
}
interface PacketVector {
  name: string;
  packet: Packet;
  splitSize: number;
  bytes: RecordedBytes;
}
interface ReaderVector {
  name: string;
  bytes: RecordedBytes;
  packets: Packet[];
  outcome: "end" | "need more" | "error";
  error?: string;
}

const recordings = vectors<{ frames: FrameVector[]; packets: PacketVector[]; reader: ReaderVector[] }>(
  "drpc-frames",
);

interface Found {
  kind: number;
  control: boolean;
  stream: Uint64;
  message: Uint64;
  body: string;
}

/** Bytes as something quick to compare. */
function digest(bytes: Uint8Array): string {
  return bytes.length <= 100
    ? hex(bytes)
    : `${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Reads pieces; an error ends it. */
function readAll(pieces: Uint8Array[], maxPacketBytes?: number) {
  const packets: Found[] = [];
  const reader = new PacketReader(maxPacketBytes);
  try {
    for (const piece of pieces) {
      const used = reader.push(piece, {
        onPacket(kind, control, stream, message, body) {
          packets.push({ kind, control, stream, message, body: digest(body) });
          return true;
        },
      });
      expect(used).toBe(piece.length);
    }
  } catch (error) {
    if (error instanceof WireError) return { packets, outcome: error.code };
    throw error;
  }
  return { packets, outcome: reader.isBetweenPackets ? "end" : "need more" };
}

function expected({ kind, control, stream, message, data }: Packet): Found {
  return {
    kind,
    control,
    stream: uint64(BigInt(stream)),
    message: uint64(BigInt(message)),
    body: digest(recorded(data)),
  };
}

/** The recorded reader's words and ours. */
function codeFor(error: string): WireErrorCode {
  if (error.includes("varint too long")) return "varint-too-long";
  if (error.includes("id monotonicity")) return "id-monotonicity";
  if (error.includes("packet kind change")) return "packet-kind-change";
  if (error.includes("data overflow")) return "data-overflow";
  throw new Error(`an error without a code: ${error}`);
}

/**
 * The recorded reader waits for a body that can only be refused; ours refuses when the length is declared,
 * before it keeps a byte of it.
 */
const refusedOnDeclaration = new Set(["length-huge-cut", "5MiB-declared-half-there"]);

describe("W4.1 frames", () => {
  it.each(recordings.frames)("writes and reads $name", ({ frame, bytes }) => {
    const body = recorded(frame.data);
    const out = new Uint8Array(40);
    const end = writeFrameHeader(
      out,
      0,
      controlByte(frame.kind, frame.done, frame.control),
      uint64(BigInt(frame.stream)),
      uint64(BigInt(frame.message)),
      body.length,
    );
    const written = Buffer.concat([out.subarray(0, end), body]);
    expect(written.equals(recorded(bytes))).toBe(true);
    const { packets, outcome } = readAll([written]);
    expect(outcome).toBe(frame.done ? "end" : "need more");
    expect(packets).toEqual(frame.done ? [expected(frame)] : []);
  });
});

describe("W4.2 packets", () => {
  it.each(recordings.packets)("writes and reads $name", ({ packet, splitSize, bytes }) => {
    const split = splitSize === 0 ? undefined : splitSize < 0 ? Number.POSITIVE_INFINITY : splitSize;
    const { kind, stream, message } = expected(packet);
    const written = encodePacket(kind, stream, message, recorded(packet.data), split);
    expect(Buffer.from(written).equals(recorded(bytes))).toBe(true);
    expect(readAll([written])).toEqual({ packets: [expected(packet)], outcome: "end" });
  });

  it("takes a body of any size, split at any size, in as many bytes as it says", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 70 }),
        fc.constantFrom(...Object.values(PacketKind)),
        fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
        (body, split, kind, s, m) => {
          const [stream, message] = [uint64(s), uint64(m)];
          const bytes = encodePacket(kind, stream, message, body, split);
          expect(bytes.length).toBe(packetLength(stream, message, body.length, split));
          const { packets } = readAll([bytes]);
          expect(packets).toEqual([{ kind, control: false, stream, message, body: digest(body) }]);
        },
      ),
      runs(100),
    );
  });
});

describe("W4.1–W4.3 reader", () => {
  it.each(recordings.reader)("makes of $name what the reference reader makes", (vector) => {
    const bytes = recorded(vector.bytes);
    const isSmall = bytes.length < 1000;
    for (const sizes of isSmall ? [[bytes.length], [1], [3, 1, 2]] : [[bytes.length], [65536], [7, 99_999]]) {
      const result = readAll(cut(bytes, sizes));
      expect(result.packets).toEqual(vector.packets.map(expected));
      if (refusedOnDeclaration.has(vector.name)) expect(result.outcome).toBe("data-overflow");
      else if (vector.outcome === "error") expect(result.outcome).toBe(codeFor(vector.error ?? ""));
      else expect(result.outcome).toBe(vector.outcome);
    }
  });

  it("gives the same packets and the same end wherever the bytes are cut", () => {
    const frame = fc.record({
      kind: fc.integer({ min: 0, max: 10 }),
      done: fc.boolean(),
      control: fc.boolean(),
      stream: fc.integer({ min: 0, max: 3 }),
      message: fc.integer({ min: 0, max: 300 }),
      body: fc.uint8Array({ maxLength: 40 }),
    });
    const anyBytes = fc.oneof(
      fc.array(frame, { maxLength: 12 }).map((frames) =>
        Buffer.concat(
          frames.flatMap((f) => {
            const head = new Uint8Array(16);
            const control = controlByte(f.kind, f.done, f.control);
            const end = writeFrameHeader(head, 0, control, f.stream, f.message, f.body.length);
            return [head.subarray(0, end), f.body];
          }),
        ),
      ),
      fc.uint8Array({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(anyBytes, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (bytes, sizes) => {
        expect(readAll(cut(bytes, sizes), 100)).toEqual(readAll([bytes], 100));
      }),
      runs(500),
    );
  });

  it("stops after the packet at which the sink says so, and goes on from there", () => {
    const bytes = Buffer.concat(
      [1, 2, 3].map((i) => encodePacket(PacketKind.Message, 1, i, Buffer.from([i]))),
    );
    const reader = new PacketReader();
    const seen: Uint64[] = [];
    const sink = {
      onPacket(_kind: number, _control: boolean, _stream: Uint64, message: Uint64) {
        seen.push(message);
        return false;
      },
    };
    let rest: Uint8Array = bytes;
    while (rest.length > 0) {
      const used = reader.push(rest, sink);
      expect(used).toBe(5);
      rest = rest.subarray(used);
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it("hands over a packet that lies in one piece without copying it", () => {
    const bytes = encodePacket(PacketKind.Message, 1, 1, new Uint8Array(1000));
    let body: Uint8Array | undefined;
    new PacketReader().push(bytes, {
      onPacket(_kind, _control, _stream, _message, found) {
        body = found;
        return true;
      },
    });
    expect(body?.buffer).toBe(bytes.buffer);
  });
});

describe("pieces that are joined", () => {
  it("are the bytes that were pushed, however they were cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30 }), (pieces) => {
        const list = new BytePieces();
        for (const piece of pieces) list.push(piece);
        expect(list.length).toBe(Buffer.concat(pieces).length);
        expect(hex(list.take())).toBe(hex(Buffer.concat(pieces)));
        expect(list.length).toBe(0);
      }),
      runs(100),
    );
  });

  it("do not keep large buffers alive for a few bytes of each", () => {
    const list = new BytePieces();
    for (let i = 0; i < 100; i++) list.push(new Uint8Array(64 * 1024).fill(i).subarray(5, 6));
    const joined = list.take();
    expect([...joined]).toEqual([...Array(100).keys()]);
    expect(joined.buffer.byteLength).toBeLessThan(4096);
  });
});
