import type {
  DERPMap,
  DERPMap_Region_Node as DerpNode,
  DERPMap_Region as DerpRegion,
} from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import type { RouteAnswer, UserCall } from "../routes.js";
import { readableAgent } from "./access.js";

/** `GET /workspaceagents/{id}/connection`: how to connect to an agent. S5.51. */
export async function getConnectionInfo(deps: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  await readableAgent(deps.handlers.store, call);
  return getGeneralConnectionInfo(deps);
}

/** `GET /workspaceagents/connection`: the same, whichever agent it is. S5.51. */
export async function getGeneralConnectionInfo({ handlers, network = {} }: HttpDeps): Promise<RouteAnswer> {
  const { forceWebSockets = false, disableDirectConnections = false, hostnameSuffix = "" } = network;
  return jsonAnswer(200, {
    derp_map: derpMapJson(handlers.derpMap()),
    derp_force_websockets: forceWebSockets,
    disable_direct_connections: disableDirectConnections,
    ...(hostnameSuffix === "" ? {} : { hostname_suffix: hostnameSuffix }),
  });
}

/** A DERP map in the JSON that network clients know. What is at its zero value may be left out. */
function derpMapJson({ homeParams, regions }: DERPMap) {
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
  };
  return {
    Name: node.name,
    RegionID: Number(node.regionId),
    HostName: node.hostName,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => Boolean(value))),
  };
}
