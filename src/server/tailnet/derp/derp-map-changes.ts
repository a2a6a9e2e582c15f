import type { DERPMap } from "../../../gen/coder/tailnet/v2/derp_map_pb.js";
import type { DerpMapSource } from "./derp-map-source.js";
import { sameDerpMap } from "./same-derp-map.js";

/**
 * The map at once, and again whenever it differs from what came last; who reads slowly gets only the newest. It ends
 * with the signal. S4.4–S4.6.
 * @throws what the source throws when it has no map.
 */
export async function* derpMapChanges(source: DerpMapSource, signal: AbortSignal): AsyncGenerator<DERPMap> {
  let newest: DERPMap | undefined;
  let wake = () => {};
  const unsubscribe = source.subscribe((map) => {
    newest = map;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort);
  try {
    let told = source.current;
    if (signal.aborted) return;
    yield told;
    while (!signal.aborted) {
      if (newest !== undefined && !sameDerpMap(told, newest)) {
        told = newest;
        yield told;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    unsubscribe();
  }
}
