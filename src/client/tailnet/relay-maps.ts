import type { Client } from "@connectrpc/connect";
import type { DERPMap, DERPMap_Region, Tailnet } from "../../gen/coder/tailnet/v2/index_pb.js";
import { serverUrl } from "../http/api-url.js";
import { untilStreamEnd } from "./stream-end.js";

/** Which maps are followed, and for how long. */
export interface FollowDerpMapsOptions {
  /**
   * The control plane, as this side reaches it: its embedded relay is put there in each map, see
   * {@link rewriteEmbeddedRelay}. Without it maps are given as they come.
   */
  url?: string | URL | undefined;
  /** Ends the iteration, and the call. */
  signal?: AbortSignal | undefined;
}

/**
 * The relay map, at once and whenever it has changed, over one connection. C9.8.
 * @throws RpcError `recv DERPMap error: …` when the stream ends, in order or not. C4.58. TypeError when the URL is none.
 */
export async function* followDerpMaps(
  tailnet: Pick<Client<typeof Tailnet>, "streamDERPMaps">,
  { url, signal }: FollowDerpMapsOptions = {},
): AsyncGenerator<DERPMap, void, undefined> {
  yield* untilStreamEnd({
    doing: "recv DERPMap error",
    method: "StreamDERPMaps",
    call: () => tailnet.streamDERPMaps({}, signal && { signal }),
    take: (map) => (url === undefined ? map : rewriteEmbeddedRelay(map, url)),
    signal,
  });
}

/**
 * A map whose embedded relay is where the control plane is reached: host, port and scheme of the URL go to each node
 * of an embedded region that does not answer STUN only. Everything else stays; the map given is not changed. C1.58.
 * @throws TypeError when the text is no URL, or not one of http, https, ws and wss.
 */
export function rewriteEmbeddedRelay(map: DERPMap, url: string | URL): DERPMap {
  const { protocol, hostname, port } = serverUrl(url, "");
  const isPlain = protocol === "http:";
  const relay = {
    // an address of IPv6 has brackets in a URL only
    hostName: hostname.replace(/^\[|\]$/g, ""),
    derpPort: port === "" ? (isPlain ? 80 : 443) : Number(port),
    forceHttp: isPlain,
  };
  const regions: [string, DERPMap_Region][] = Object.entries(map.regions).map(([id, region]) => {
    if (!region.embeddedRelay) return [id, region];
    return [
      id,
      { ...region, nodes: region.nodes.map((node) => (node.stunOnly ? node : { ...node, ...relay })) },
    ];
  });
  return { ...map, regions: Object.fromEntries(regions) };
}
