import {
  create,
  type DescField,
  type DescMessage,
  equals,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect, type ScalarValue, scalarZeroValue } from "@bufbuild/protobuf/reflect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { Tailnet } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { type ApiMethod, dropNewer, enumValueVersion, methodVersion } from "../../src/version/index.js";
import { minors, readSet } from "../contract/contract.js";
import { runs } from "../support/scale.js";

/** Servers of these minors had some of what the next one promises: their schemas keep it. */
const withEarlyParts = [2, 8];

/** Picks a whole number below a limit. */
type Pick = (limit: number) => number;

const maxDepth = 5;

/** Any message, with values of enums that a minor has. */
function anyMessage(schema: DescMessage, minor: number, pick: Pick, depth = 0): Message {
  if (schema.typeName.startsWith("google.protobuf.")) return create(schema);
  const message = create(schema);
  const fields = reflect(schema, message);
  for (const field of schema.fields) {
    const isNested = field.message !== undefined;
    if (pick(4) === 0 || (isNested && depth >= maxDepth)) continue;
    const one = () => anyValue(field, minor, pick, depth);
    if (field.fieldKind === "list") {
      const list = fields.get(field);
      for (let i = pick(3); i > 0; i--) list.add(one());
    } else if (field.fieldKind === "map") {
      const map = fields.get(field);
      const key = field.mapKey === ScalarType.STRING ? "k" : field.mapKey === ScalarType.INT32 ? 1 : 1n;
      map.set(key, one());
    } else fields.set(field, one() as never);
  }
  return message;
}

function anyValue(field: DescField, minor: number, pick: Pick, depth: number): ScalarValue {
  if (field.message !== undefined) {
    const message = anyMessage(field.message, minor, pick, depth + 1);
    return reflect(field.message, message) as never;
  }
  if (field.enum !== undefined) {
    const { enum: schema } = field;
    const known = schema.values.filter(({ number }) => enumValueVersion(schema, number).minor <= minor);
    return known[pick(known.length)]?.number ?? 0;
  }
  const type = (field as DescField & { scalar: ScalarType }).scalar;
  const zero: unknown = scalarZeroValue(type, false);
  if (typeof zero === "string") return `s${pick(9)}`;
  if (typeof zero === "bigint") return BigInt(pick(99));
  if (typeof zero === "boolean") return pick(2) === 1;
  return typeof zero === "number" ? pick(99) : Uint8Array.of(pick(256));
}

/** Requests and answers of the RPCs that a minor has. */
function messagesOf(minor: number): DescMessage[] {
  const methods = [...Agent.methods, ...Tailnet.methods];
  const had = methods.filter(({ localName }) => methodVersion(localName as ApiMethod).minor <= minor);
  return [...new Set(had.flatMap(({ input, output }) => [input, output]))];
}

describe.each(minors.filter((minor) => !withEarlyParts.includes(minor)))("what 2.%i has not", (minor) => {
  const older = readSet(`v2.${minor}`);

  it("is what the schemas of then cannot read of any message", () => {
    fc.assert(
      fc.property(fc.constantFrom(...messagesOf(minor)), fc.infiniteStream(fc.nat()), (schema, numbers) => {
        const message = anyMessage(schema, minor, (limit) => numbers.next().value % limit);
        const then = older.getMessage(schema.typeName);
        if (then === undefined) throw new Error(`2.${minor} has no ${schema.typeName}`);
        const read = fromBinary(then, toBinary(schema, message), { readUnknownFields: false });
        const expected = fromBinary(schema, toBinary(then, read));
        const dropped = dropNewer(schema, minor)?.(message) ?? message;
        // over the wire, as an optional field that is dropped is a property that is not there
        expect(equals(schema, fromBinary(schema, toBinary(schema, dropped)), expected)).toBe(true);
      }),
      runs(150),
    );
  });
});
