import { deepStrictEqual } from "node:assert";
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs, timeoutMs } from "../../support/scale.js";
import { recorded, vectors } from "../../support/vectors.js";
import { type Pair, pairOf, pairs } from "./all-codecs.js";
import { arbitraryInit, arbitraryWire } from "./arbitrary-message.js";

const names = new Set(pairs.map(({ name }) => name));

describe("a generated codec does what protobuf-es does", () => {
  it.each(pairs)("reads no bytes as what create() makes: $name", ({ schema, codec }) => {
    const blank = codec.decode(new Uint8Array(0));
    expect(blank).toStrictEqual(create(schema));
    expect(shape(blank)).toBe(shape(create(schema)));
    expect(codec.encode(blank)).toStrictEqual(new Uint8Array(0));
  });

  it.each(pairs)(
    "writes the same bytes, of messages and of what makes them: $name",
    ({ schema, codec }) => {
      fc.assert(
        fc.property(arbitraryInit(schema), (init) => {
          const message = create(schema, init);
          const bytes = toBinary(schema, message);
          expect(Buffer.from(codec.encode(message)).equals(bytes)).toBe(true);
          expect(Buffer.from(codec.encode(init)).equals(bytes)).toBe(true);
          const actual = codec.decode(bytes);
          const expected = fromBinary(schema, bytes);
          deepStrictEqual(actual, expected);
          expect(shape(actual)).toBe(shape(expected));
        }),
        runs(20),
      );
    },
    timeoutMs(20_000),
  );

  it.each(pairs)(
    "merges what comes twice: $name",
    ({ schema, codec }) => {
      const message = arbitraryInit(schema).map((init) => toBinary(schema, create(schema, init)));
      fc.assert(
        fc.property(message, message, (first, second) => {
          expectSame({ schema, codec }, Buffer.concat([first, second]));
        }),
        runs(10),
      );
    },
    timeoutMs(20_000),
  );

  it.each(pairs)(
    "takes and refuses the same bytes: $name",
    ({ schema, codec }) => {
      const damaged = fc
        .tuple(arbitraryInit(schema), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean())
        .map(([init, at, byte, isCut]) => {
          const bytes = toBinary(schema, create(schema, init)).slice(0, 2000);
          if (bytes.length === 0) return bytes;
          if (isCut) return bytes.subarray(0, at % bytes.length);
          bytes[at % bytes.length] = byte;
          return bytes;
        });
      fc.assert(
        fc.property(fc.oneof(arbitraryWire(schema), damaged, fc.uint8Array({ maxLength: 30 })), (bytes) => {
          expectSame({ schema, codec }, bytes);
        }),
        runs(60),
      );
    },
    timeoutMs(20_000),
  );

  it("keeps fields that the schema does not know, and writes them again", () => {
    const { schema, codec } = pairOf("coder.agent.v2.Log");
    const bytes = Buffer.from(
      "9206026869" + "1a0161" + "fb060801fc06" + "1003" + "a10601020304050607" + "08",
      "hex",
    );
    expectSame({ schema, codec }, bytes);
    expect(Buffer.from(codec.encode(codec.decode(bytes)))).toStrictEqual(
      Buffer.from(toBinary(schema, fromBinary(schema, bytes))),
    );
  });

  it("reads and writes all recorded messages", () => {
    const {
      messages = [],
      decodeOnly = [],
      invalid = [],
    } = vectors<Record<string, { type: string; hex: string }[]>>("messages");
    const known = [...messages, ...decodeOnly, ...invalid].filter(({ type }) => names.has(type));
    expect(known.length).toBeGreaterThan(1000);
    for (const { type, hex } of known) expectSame(pairOf(type), recorded(hex));
    for (const { type, hex } of messages.filter((message) => names.has(message.type))) {
      const { schema, codec } = pairOf(type);
      const message = fromBinary(schema, recorded(hex));
      expect(codec.encode(message)).toStrictEqual(toBinary(schema, message));
    }
  });
});

/** Both read the same from bytes, or neither reads anything. */
function expectSame({ schema, codec }: Omit<Pair, "name">, bytes: Uint8Array): void {
  const expected = outcome(() => fromBinary(schema, bytes));
  const actual = outcome(() => codec.decode(bytes));
  deepStrictEqual(actual, expected);
  if (actual !== undefined && expected !== undefined) expect(shape(actual)).toBe(shape(expected));
}

function outcome(read: () => Message): Message | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The names of all fields in their order, which `deepStrictEqual` does not look at. */
function shape(value: unknown): string {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return typeof value;
  if (Array.isArray(value)) return `[${value.map(shape).join()}]`;
  const fields = Object.entries(value).filter(([name]) => name !== "$unknown");
  return `{${fields.map(([name, field]) => `${name}:${shape(field)}`).join()}}`;
}
