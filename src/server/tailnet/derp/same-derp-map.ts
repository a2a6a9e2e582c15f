import type {
  DERPMap,
  DERPMap_Region_Node as DerpNode,
  DERPMap_Region as DerpRegion,
} from "../../../gen/coder/tailnet/v2/derp_map_pb.js";

const regionFields = ["embeddedRelay", "regionId", "regionCode", "regionName", "avoid"] as const;

const nodeFields = [
  "name",
  "regionId",
  "hostName",
  "certName",
  "ipv4",
  "ipv6",
  "stunPort",
  "stunOnly",
  "derpPort",
  "insecureForTests",
  "forceHttp",
  "stunTestIp",
] as const;

/**
 * Whether two maps are the same to who has one of them already. The order of a region's nodes does not count, nor do
 * home params and whether port 80 can be used. S4.5.
 */
export function sameDerpMap(a: DERPMap, b: DERPMap): boolean {
  if (a === b) return true;
  const ids = Object.keys(a.regions);
  if (ids.length !== Object.keys(b.regions).length) return false;
  return ids.every((id) => sameRegion(a.regions[id], b.regions[id]));
}

function sameRegion(a: DerpRegion | undefined, b: DerpRegion | undefined): boolean {
  if (a === undefined || b === undefined || a.nodes.length !== b.nodes.length) return false;
  if (regionFields.some((field) => a[field] !== b[field])) return false;
  const others = byName(b.nodes);
  return byName(a.nodes).every((node, i) => nodeFields.every((field) => node[field] === others[i]?.[field]));
}

function byName(nodes: readonly DerpNode[]): DerpNode[] {
  return nodes.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
