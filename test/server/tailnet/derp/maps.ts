import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  type DERPMap,
  type DERPMap_Region_NodeSchema,
  DERPMap_RegionSchema,
  DERPMapSchema,
} from "../../../../src/gen/coder/tailnet/v2/index_pb.js";

/** A map with one region of two relays and a STUN server, which is built in or not. */
export function derpMap(hostName = "relay.example.com", { embeddedRelay = false } = {}): DERPMap {
  const node = { regionId: 7n, hostName, derpPort: 443 };
  return create(DERPMapSchema, {
    homeParams: { regionScore: { "7": 0.5 } },
    regions: {
      "7": {
        regionId: 7n,
        embeddedRelay,
        regionCode: "here",
        regionName: "Here",
        nodes: [
          { ...node, name: "7a" },
          { ...node, name: "7b", ipv4: "192.0.2.7" },
          { ...node, name: "7stun", stunOnly: true, stunPort: 3478 },
        ],
      },
    },
  });
}

const word = fc.string({ maxLength: 6 });
const port = fc.integer({ min: 0, max: 65_535 });

function anyNode(regionId: bigint): fc.Arbitrary<MessageInitShape<typeof DERPMap_Region_NodeSchema>> {
  return fc.record({
    ...{ name: fc.string({ minLength: 1, maxLength: 6 }), regionId: fc.constant(regionId) },
    ...{ hostName: word, certName: word, ipv4: word, ipv6: word, stunTestIp: word },
    ...{ stunPort: fc.oneof(port, fc.constant(-1)), derpPort: port },
    ...{ stunOnly: fc.boolean(), insecureForTests: fc.boolean(), forceHttp: fc.boolean() },
    ...{ canPort80: fc.boolean() },
  });
}

function anyRegion(regionId: bigint) {
  return fc
    .record({
      ...{ regionId: fc.constant(regionId), embeddedRelay: fc.boolean(), avoid: fc.boolean() },
      ...{ regionCode: word, regionName: word },
      nodes: fc.uniqueArray(anyNode(regionId), { selector: ({ name }) => name, maxLength: 4 }),
    })
    .map((region) => create(DERPMap_RegionSchema, region));
}

/** Maps whose ids and names fit each other. */
export const anyDerpMap: fc.Arbitrary<DERPMap> = fc
  .uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 4 })
  .chain((ids) =>
    fc.record({
      regions: fc.tuple(...ids.map((id) => anyRegion(BigInt(id)))),
      scores: fc.array(fc.double({ min: 0, max: 10, noNaN: true }), {
        minLength: ids.length,
        maxLength: ids.length,
      }),
    }),
  )
  .map(({ regions, scores }) =>
    create(DERPMapSchema, {
      homeParams: {
        regionScore: Object.fromEntries(regions.map(({ regionId }, i) => [String(regionId), scores[i] ?? 1])),
      },
      regions: Object.fromEntries(regions.map((region) => [String(region.regionId), region])),
    }),
  );
