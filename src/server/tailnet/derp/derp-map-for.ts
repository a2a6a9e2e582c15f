import { create } from "@bufbuild/protobuf";
import {
  type DERPMap,
  DERPMap_HomeParamsSchema,
  type DERPMap_Region_Node as DerpNode,
  type DERPMap_Region as DerpRegion,
} from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import type { ReachedAt } from "../../reached-at.js";

/**
 * The map for one caller: relays that are built into the control plane are where this caller reached it. Clients that
 * know better do the same by themselves. C1.58.
 * @param reachedAt where it is not known, nothing of a relay is changed.
 * @returns a copy, or the map itself where it is right already.
 */
export function derpMapFor(map: DERPMap, reachedAt: ReachedAt | undefined): DERPMap {
  const entries = Object.entries(map.regions);
  const hasEmbedded = reachedAt !== undefined && entries.some(([, { embeddedRelay }]) => embeddedRelay);
  if (!hasEmbedded && map.homeParams !== undefined) return map;
  return {
    ...map,
    // always there: S3.14
    homeParams: map.homeParams ?? create(DERPMap_HomeParamsSchema),
    regions: hasEmbedded
      ? Object.fromEntries(entries.map(([id, region]) => [id, regionFor(region, reachedAt)]))
      : map.regions,
  };
}

function regionFor(region: DerpRegion, reachedAt: ReachedAt): DerpRegion {
  if (!region.embeddedRelay) return region;
  return { ...region, nodes: region.nodes.map((node) => nodeFor(node, reachedAt)) };
}

function nodeFor(node: DerpNode, { hostname, port, isTls }: ReachedAt): DerpNode {
  if (node.stunOnly) return node;
  return { ...node, hostName: hostname, derpPort: port, forceHttp: !isTls };
}
