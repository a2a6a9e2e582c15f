import { deepStrictEqual } from "node:assert";
import { create, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, it } from "vitest";
import { runs, timeoutMs } from "../../support/scale.js";
import { pairs } from "./all-codecs.js";
import { arbitraryInit } from "./arbitrary-message.js";

/** The schemas as protobufjs reads them. */
function loadSchemas(): protobuf.Root {
  const root = new protobuf.Root();
  // options of the schemas say nothing about bytes
  root.resolvePath = (_, target) => (/descriptor|options/.test(target) ? null : `proto/${target}`);
  const files = [
    "coder/agent/v2/agent.proto",
    "coder/tailnet/v2/tailnet.proto",
    "coder/agentsocket/v1/agentsocket.proto",
    "coder/boundarylogproxy/codec/v1/boundary.proto",
  ];
  return root.loadSync(files);
}

/** Whether a map with keys of 64 bits is in it: protobufjs does not write those again as it read them. */
function hasWideKeys(schema: DescMessage): boolean {
  return schema.fields.some(
    (field) =>
      (field.fieldKind === "map" && field.mapKey === ScalarType.INT64) ||
      (field.message !== undefined && !/^google/.test(field.message.typeName) && hasWideKeys(field.message)),
  );
}

describe("another library understands what a generated codec writes", () => {
  const root = loadSchemas();

  it.each(pairs.filter(({ schema }) => !hasWideKeys(schema)))(
    "and writes the same: $name",
    ({ name, schema, codec }) => {
      const theirs = root.lookupType(name);
      fc.assert(
        fc.property(arbitraryInit(schema), (init) => {
          const bytes = codec.encode(create(schema, init));
          const again = theirs.encode(theirs.decode(bytes)).finish();
          // not toEqual: that takes twenty times as long for fields of many bytes
          deepStrictEqual(codec.decode(new Uint8Array(again)), codec.decode(bytes));
        }),
        runs(10),
      );
    },
    timeoutMs(20_000),
  );
});
