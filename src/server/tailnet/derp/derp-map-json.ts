import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { z } from "zod";
import {
  type DERPMap,
  DERPMapSchema,
  type DERPMap_Region_Node as DerpNode,
  type DERPMap_Region as DerpRegion,
} from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import { errorText } from "../../../rpc/error-text.js";

/** A text that is no map of relays, with its faults. */
export class DerpMapError extends Error {
  constructor(where: string, faults: readonly string[]) {
    super(`${where} is not a map of relays:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    this.name = "DerpMapError";
  }
}

/** A map in the JSON that network clients know. What is at its zero value may be left out. S5.51. */
export function derpMapJson({ homeParams, regions }: DERPMap) {
  return {
    HomeParams: { RegionScore: homeParams?.regionScore ?? {} },
    Regions: Object.fromEntries(Object.entries(regions).map(([id, region]) => [id, regionJson(region)])),
  };
}

function regionJson(region: DerpRegion) {
  return {
    EmbeddedRelay: region.embeddedRelay,
    RegionID: Number(region.regionId),
    RegionCode: region.regionCode,
    RegionName: region.regionName,
    ...(region.avoid ? { Avoid: true } : {}),
    Nodes: region.nodes.map(nodeJson),
  };
}

function nodeJson(node: DerpNode) {
  const optional = {
    CertName: node.certName,
    IPv4: node.ipv4,
    IPv6: node.ipv6,
    STUNPort: node.stunPort,
    STUNOnly: node.stunOnly,
    DERPPort: node.derpPort,
    InsecureForTests: node.insecureForTests,
    ForceHTTP: node.forceHttp,
    STUNTestIP: node.stunTestIp,
    CanPort80: node.canPort80,
  };
  return {
    Name: node.name,
    RegionID: Number(node.regionId),
    HostName: node.hostName,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => Boolean(value))),
  };
}

const name = z.string().default("");
const flag = z.boolean().default(false);
const port = z.number().int().min(-1).max(65_535).default(0);
const regionId = z.number().int().positive();
const regionKey = z.string().regex(/^[1-9]\d{0,14}$/, "must be the id of a region");

const nodeSchema = z.object({
  Name: z.string().min(1),
  RegionID: regionId.optional(),
  HostName: name,
  CertName: name,
  IPv4: name,
  IPv6: name,
  STUNPort: port,
  STUNOnly: flag,
  DERPPort: port.refine((value) => value >= 0, "must be a port"),
  InsecureForTests: flag,
  ForceHTTP: flag,
  STUNTestIP: name,
  CanPort80: flag,
});

const regionSchema = z.object({
  EmbeddedRelay: flag,
  RegionID: regionId.optional(),
  RegionCode: name,
  RegionName: name,
  Avoid: flag,
  Nodes: z.array(nodeSchema).nullish(),
});

// there is more in maps of other deployments, which is passed over
const mapSchema = z.object({
  HomeParams: z.object({ RegionScore: z.record(regionKey, z.number()).nullish() }).nullish(),
  Regions: z.record(regionKey, regionSchema.nullable()).nullable(),
});

/**
 * Reads a map: the JSON of network clients (`Regions`), or the protobuf JSON of the message (`regions`).
 * @param where names the text in errors.
 * @throws DerpMapError
 */
export function readDerpMap(text: string, where: string): DERPMap {
  const json = jsonOf(text, where);
  const isMessage = typeof json === "object" && json !== null && "regions" in json;
  return isMessage ? messageOf(json as JsonValue, where) : networkMapOf(json, where);
}

function jsonOf(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new DerpMapError(where, [errorText(error)]);
  }
}

function messageOf(json: JsonValue, where: string): DERPMap {
  let map: DERPMap;
  try {
    map = fromJson(DERPMapSchema, json, { ignoreUnknownFields: true });
  } catch (error) {
    throw new DerpMapError(where, [errorText(error)]);
  }
  map.homeParams ??= create(DERPMapSchema, { homeParams: {} }).homeParams;
  return checked(map, where);
}

function networkMapOf(json: unknown, where: string): DERPMap {
  const { data, error } = z.safeParse(mapSchema, json);
  if (error !== undefined) throw new DerpMapError(where, error.issues.map(faultOf));
  // a region that is null is one that is left out
  const regions = Object.entries(data.Regions ?? {}).flatMap(([id, region]) =>
    region === null ? [] : [[id, regionOf(BigInt(id), region)] as const],
  );
  const map = create(DERPMapSchema, {
    homeParams: { regionScore: data.HomeParams?.RegionScore ?? {} },
    regions: Object.fromEntries(regions),
  });
  return checked(map, where);
}

function faultOf(issue: z.core.$ZodIssue): string {
  // of a key the reason is one level deeper
  const reason = issue.code === "invalid_key" ? issue.issues[0]?.message : undefined;
  const message = reason ?? issue.message;
  return issue.path.length === 0 ? message : `${issue.path.join(".")}: ${message}`;
}

function regionOf(id: bigint, region: z.infer<typeof regionSchema>) {
  return {
    regionId: BigInt(region.RegionID ?? id),
    embeddedRelay: region.EmbeddedRelay,
    regionCode: region.RegionCode,
    regionName: region.RegionName,
    avoid: region.Avoid,
    nodes: (region.Nodes ?? []).map((node) => nodeOf(id, node)),
  };
}

function nodeOf(id: bigint, node: z.infer<typeof nodeSchema>) {
  return {
    name: node.Name,
    regionId: BigInt(node.RegionID ?? id),
    hostName: node.HostName,
    certName: node.CertName,
    ipv4: node.IPv4,
    ipv6: node.IPv6,
    stunPort: node.STUNPort,
    stunOnly: node.STUNOnly,
    derpPort: node.DERPPort,
    insecureForTests: node.InsecureForTests,
    forceHttp: node.ForceHTTP,
    stunTestIp: node.STUNTestIP,
    canPort80: node.CanPort80,
  };
}

/** A map whose ids and names do not fit each other makes clients look for relays that are not there. */
function checked(map: DERPMap, where: string): DERPMap {
  const faults: string[] = [];
  for (const [id, region] of Object.entries(map.regions)) {
    if (String(region.regionId) !== id) faults.push(`region ${id} says that it is ${region.regionId}`);
    const names = new Set<string>();
    for (const node of region.nodes) {
      if (names.has(node.name)) faults.push(`region ${id} has the node ${JSON.stringify(node.name)} twice`);
      names.add(node.name);
      if (node.regionId !== region.regionId)
        faults.push(
          `the node ${JSON.stringify(node.name)} of region ${id} says that it is of ${node.regionId}`,
        );
    }
  }
  if (faults.length > 0) throw new DerpMapError(where, faults);
  return map;
}
