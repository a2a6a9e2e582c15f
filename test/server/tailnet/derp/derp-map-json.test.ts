import { equals, toJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DERPMapSchema } from "../../../../src/gen/coder/tailnet/v2/index_pb.js";
import { DerpMapError } from "../../../../src/server/index.js";
import { derpMapJson, readDerpMap } from "../../../../src/server/tailnet/derp/derp-map-json.js";
import { anyDerpMap, derpMap } from "./maps.js";

/** What is said of a text that is no map. */
function faultsOf(json: unknown): string {
  const text = typeof json === "string" ? json : JSON.stringify(json);
  try {
    readDerpMap(text, "relays.json");
  } catch (error) {
    expect(error).toBeInstanceOf(DerpMapError);
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

describe("a map as JSON", () => {
  it("is read as it was written, in the form of network clients and in that of the message", () => {
    fc.assert(
      fc.property(anyDerpMap, (map) => {
        const read = readDerpMap(JSON.stringify(derpMapJson(map)), "x");
        expect(equals(DERPMapSchema, read, map)).toBe(true);
        const ofMessage = readDerpMap(toJsonString(DERPMapSchema, map, { alwaysEmitImplicit: true }), "x");
        expect(equals(DERPMapSchema, ofMessage, map)).toBe(true);
      }),
    );
  });

  it("may leave out what is at its zero value, has regions that are null, and things that nobody knows here", () => {
    const json = {
      omitDefaultRegions: true,
      Regions: {
        "7": { RegionCode: "here", Latitude: 1, Nodes: [{ Name: "7a", HostName: "relay.example.com" }] },
        "8": null,
        "9": { Nodes: null },
      },
    };
    const { homeParams, regions } = readDerpMap(JSON.stringify(json), "x");
    expect(homeParams).toMatchObject({ regionScore: {} });
    expect(Object.keys(regions)).toEqual(["7", "9"]);
    expect(regions["7"]).toMatchObject({ regionId: 7n, regionCode: "here", embeddedRelay: false });
    expect(regions["7"]?.nodes).toMatchObject([
      { name: "7a", regionId: 7n, hostName: "relay.example.com", derpPort: 0 },
    ]);
    expect(readDerpMap('{"Regions":null}', "x").regions).toEqual({});
    expect(readDerpMap('{"regions":{}}', "x").homeParams).toBeDefined();
  });

  it("is refused with where its faults are", () => {
    expect(faultsOf("{")).toMatch(/^relays\.json is not a map of relays:\n {2}.*JSON/);
    expect(faultsOf([])).toContain("expected object");
    expect(faultsOf({ Region: {} })).toContain("  Regions: ");
    expect(faultsOf({ Regions: { here: {} } })).toContain("must be the id of a region");
    const badNode = { Regions: { "7": { Nodes: [{ Name: "7a", DERPPort: -1, STUNPort: "x" }] } } };
    expect(faultsOf(badNode)).toContain("Regions.7.Nodes.0.DERPPort: must be a port");
    expect(faultsOf(badNode)).toContain("Regions.7.Nodes.0.STUNPort: ");
    expect(faultsOf({ regions: { "7": { nodes: 1 } } })).toContain("nodes");
  });

  it("is refused when ids or names in it do not fit each other", () => {
    expect(faultsOf({ Regions: { "7": { RegionID: 8 } } })).toContain("region 7 says that it is 8");
    const nodes = [{ Name: "a" }, { Name: "a", RegionID: 8 }];
    const faults = faultsOf({ Regions: { "7": { Nodes: nodes } } });
    expect(faults).toContain('region 7 has the node "a" twice');
    expect(faults).toContain('the node "a" of region 7 says that it is of 8');
  });

  it("shows a port and a flag only where there is one", () => {
    const [plain, , stun] = derpMapJson(derpMap()).Regions["7"]?.Nodes ?? [];
    expect(plain).toEqual({ Name: "7a", RegionID: 7, HostName: "relay.example.com", DERPPort: 443 });
    expect(stun).toMatchObject({ STUNOnly: true, STUNPort: 3478 });
  });
});
