import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";

const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, 1, 127, 128, -1, 2 ** 31 - 1, -(2 ** 31)));
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, 128n, -1n, 2n ** 32n, 2n ** 53n),
);
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 127n, 2n ** 63n));

/** ASCII, all of Unicode, lone surrogates, byte order marks, lengths around those with longer prefixes. */
const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.array(fc.nat(0xffff), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom("", "\ufeffmark", "\ufffd", "\ud800", "é".repeat(64), "€".repeat(43)),
  fc.constantFrom(11, 12, 13, 24, 25, 42, 43, 127, 128, 129, 5461, 16_383, 16_384).map((n) => "x".repeat(n)),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(0, 24, 25, 127, 128, 20_000).map((n) => new Uint8Array(n)),
);

const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: bytes,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.INT32]: int32,
  [ScalarType.UINT32]: fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 127, 128, 0xffffffff)),
  [ScalarType.INT64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.DOUBLE]: fc.double(),
  [ScalarType.FLOAT]: fc.float(),
};

/** Keys that objects keep in another order, that look like numbers, and that objects have already. */
const stringKey = fc.oneof(text, fc.constantFrom("10", "9", "__proto__", "constructor", "toString", ""));

/** What `create` takes for a schema: some of the fields, in any state. */
export function arbitraryInit(schema: DescMessage): fc.Arbitrary<Record<string, unknown>> {
  const members = schema.members.map((member) => {
    if (member.kind !== "oneof") return [member.localName, fieldOf(member)] as const;
    const cases = member.fields.map((field) =>
      fc.record({ case: fc.constant(field.localName), value: fieldOf(field) }),
    );
    return [member.localName, fc.oneof(fc.constant({ case: undefined }), ...cases)] as const;
  });
  return fc.record(Object.fromEntries(members), { requiredKeys: [] });
}

function fieldOf(field: DescField): fc.Arbitrary<unknown> {
  if (field.fieldKind === "list") return fc.array(singleOf(field), { maxLength: 5 });
  if (field.fieldKind !== "map") return singleOf(field);
  const key = { [ScalarType.STRING]: stringKey, [ScalarType.INT32]: int32, [ScalarType.INT64]: int64 };
  const keys: fc.Arbitrary<unknown> = key[field.mapKey as keyof typeof key];
  return fc.array(fc.tuple(keys.map(String), singleOf(field)), { maxLength: 5 }).map(Object.fromEntries);
}

function singleOf(field: DescField): fc.Arbitrary<unknown> {
  const { message } = field;
  if (message === undefined) return scalar(field.scalar ?? ScalarType.INT32);
  if (message.typeName === "google.protobuf.Struct") {
    return fc.dictionary(stringKey, fc.jsonValue(), { maxKeys: 4 });
  }
  if (isWrapperDesc(message)) return scalar(message.fields[0].scalar);
  return arbitraryInit(message);
}

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  const found = scalars[type];
  if (found === undefined) throw new Error(`no values for ${ScalarType[type]} yet`);
  return found;
}

/**
 * Bytes of the wire format that mean something or other to a schema: its field numbers and others, with the
 * right wire type and others, values cut off, messages within, groups.
 */
export function arbitraryWire(schema: DescMessage): fc.Arbitrary<Uint8Array> {
  const numbers = [...new Set([1, 2, 3, ...schema.fields.map((field) => field.number), 99])];
  const number: fc.Arbitrary<number> = fc.constantFrom(...numbers);
  const { message } = fc.letrec<{ message: Uint8Array; field: Uint8Array; value: Uint8Array }>((tie) => ({
    message: fc.array(tie("field"), { maxLength: 6 }).map((fields) => Buffer.concat(fields)),
    field: fc
      .tuple(number, fc.constantFrom(0, 1, 2, 2, 2, 3, 4, 5, 5, 6), tie("value"))
      .map(([no, wireType, value]) => Buffer.concat([varint((no << 3) | wireType), value])),
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      varintBytes,
      fc.uint8Array({ maxLength: 9 }),
      tie("message").map(prefixed),
      fc.string({ unit: "grapheme", maxLength: 20 }).map((letters) => prefixed(Buffer.from(letters))),
    ),
  }));
  return message;
}

const varintBytes = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(varint),
  fc.nat(300).map(varint),
  fc.uint8Array({ minLength: 1, maxLength: 11 }).map((all) => all.map((byte) => byte | 0x80)),
);

function prefixed(content: Uint8Array): Uint8Array {
  return Buffer.concat([varint(content.length), content]);
}

function varint(value: number | bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from([...out, Number(rest)]);
}
