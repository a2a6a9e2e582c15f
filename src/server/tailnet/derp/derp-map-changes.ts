import type { DERPMap } from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import { Bell } from "../../http/bell.js";
import type { DerpMapSource } from "./derp-map-source.js";
import { sameDerpMap } from "./same-derp-map.js";

/**
 * The map at once, and again whenever it differs from what came last; who reads slowly gets only the newest. It ends
 * with the signal. S4.4–S4.6.
 * @throws what the source throws when it has no map.
 */
export async function* derpMapChanges(source: DerpMapSource, signal: AbortSignal): AsyncGenerator<DERPMap> {
  let newest: DERPMap | undefined;
  const news = new Bell();
  const unsubscribe = source.subscribe((map) => {
    newest = map;
    news.ring();
  });
  try {
    let told = source.current;
    if (signal.aborted) return;
    yield told;
    while (!signal.aborted) {
      if (newest !== undefined && !sameDerpMap(told, newest)) {
        told = newest;
        yield told;
      } else {
        await news.wait(undefined, signal);
      }
    }
  } finally {
    unsubscribe();
  }
}
