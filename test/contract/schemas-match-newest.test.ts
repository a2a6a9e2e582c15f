import { describe, expect, test } from "vitest";
import { contract, generatedFiles, readSet } from "./contract.js";
import { describeLayout, describeTypes } from "./describe-schemas.js";

describe("the generated descriptors and newest.binpb", () => {
  const newest = readSet("newest");

  test("have the same methods, messages, fields, enums and values", () => {
    expect(describeTypes(generatedFiles)).toEqual(describeTypes(newest.files));
  });

  test("have the same order of methods and the same reserved numbers", () => {
    expect(describeLayout(generatedFiles)).toEqual(describeLayout(newest.files));
  });

  test("have everything that contract.json lists", () => {
    const { services, messages, enums } = contract;
    const listed = [
      ...Object.keys(messages).map((name) => `message ${name}`),
      ...Object.keys(enums).map((name) => `enum ${name}`),
      ...members("rpc", services),
      ...members("field", messages),
      ...members("value", enums),
    ];
    expect(Object.keys(describeTypes(generatedFiles)).sort()).toEqual(listed.sort());
  });
});

function members(kind: string, types: Readonly<Record<string, readonly { name: string }[]>>): string[] {
  return Object.entries(types).flatMap(([type, list]) => list.map(({ name }) => `${kind} ${type}.${name}`));
}
