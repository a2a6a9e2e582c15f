import { clone, create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DERPMap_HomeParamsSchema,
  DERPMap_Region_NodeSchema,
  DERPMap_RegionSchema,
  DERPMapSchema,
} from "../../../../src/gen/coder/tailnet/v2/index_pb.js";
import { sameDerpMap } from "../../../../src/server/index.js";
import { anyDerpMap } from "./maps.js";

/** What is looked at, by the schema: whatever a later version has more is to be thought about. */
const ignored = new Set(["canPort80", "nodes"]);
const fieldsOf = ({ fields }: { fields: readonly { localName: string }[] }) =>
  fields.map(({ localName }) => localName).filter((name) => !ignored.has(name));
const regionFields = fieldsOf(DERPMap_RegionSchema);
const nodeFields = fieldsOf(DERPMap_Region_NodeSchema);

/** Another value of the same type. */
function other(value: unknown): unknown {
  if (typeof value === "boolean") return !value;
  if (typeof value === "bigint") return value + 1n;
  if (typeof value === "number") return value + 1;
  return `${String(value)}x`;
}

function change(of: unknown, field: string): void {
  const fields = of as Record<string, unknown>;
  fields[field] = other(fields[field]);
}

const withNodes = anyDerpMap.filter(({ regions }) =>
  Object.values(regions).some(({ nodes }) => nodes.length > 0),
);
const nth = fc.nat();

describe("S4.5 whether a map differs", () => {
  it("is known for so many fields", () => {
    expect(regionFields).toHaveLength(5);
    expect(nodeFields).toHaveLength(12);
  });

  it("not by the order of regions and nodes, home params, and port 80", () => {
    fc.assert(
      fc.property(anyDerpMap, fc.double({ noNaN: true }), fc.boolean(), (map, score, hasHomeParams) => {
        const same = clone(DERPMapSchema, map);
        for (const region of Object.values(same.regions)) {
          region.nodes.reverse();
          for (const node of region.nodes) node.canPort80 = !node.canPort80;
        }
        same.regions = Object.fromEntries(Object.entries(same.regions).reverse());
        same.homeParams = hasHomeParams
          ? create(DERPMap_HomeParamsSchema, { regionScore: { "1": score } })
          : undefined;
        expect(sameDerpMap(map, same)).toBe(true);
        expect(sameDerpMap(same, map)).toBe(true);
      }),
    );
  });

  it("by any field of any region", () => {
    const some = anyDerpMap.filter(({ regions }) => Object.keys(regions).length > 0);
    fc.assert(
      fc.property(some, nth, fc.constantFrom(...regionFields), (map, at, field) => {
        const changed = clone(DERPMapSchema, map);
        const regions = Object.values(changed.regions);
        change(regions[at % regions.length], field);
        expect(sameDerpMap(map, changed)).toBe(false);
        expect(sameDerpMap(changed, map)).toBe(false);
      }),
    );
  });

  it("by any field of any node, the name too, wherever the nodes stand", () => {
    fc.assert(
      fc.property(withNodes, nth, fc.constantFrom(...nodeFields), (map, at, field) => {
        const changed = clone(DERPMapSchema, map);
        const nodes = Object.values(changed.regions).flatMap((region) => region.nodes);
        change(nodes[at % nodes.length], field);
        for (const region of Object.values(changed.regions)) region.nodes.reverse();
        expect(sameDerpMap(map, changed)).toBe(false);
        expect(sameDerpMap(changed, map)).toBe(false);
      }),
    );
  });

  it("by a region or a node more, and by the id under which a region is", () => {
    fc.assert(
      fc.property(withNodes, nth, (map, at) => {
        const ids = Object.keys(map.regions).filter((id) => map.regions[id]?.nodes.length !== 0);
        const id = ids[at % ids.length] ?? "";
        const less = clone(DERPMapSchema, map);
        less.regions[id]?.nodes.pop();
        const fewer = clone(DERPMapSchema, map);
        delete fewer.regions[id];
        const moved = clone(DERPMapSchema, fewer);
        moved.regions["1000"] = map.regions[id] ?? create(DERPMap_RegionSchema);
        for (const changed of [less, fewer, moved]) {
          expect(sameDerpMap(map, changed)).toBe(false);
          expect(sameDerpMap(changed, map)).toBe(false);
        }
      }),
    );
  });
});
