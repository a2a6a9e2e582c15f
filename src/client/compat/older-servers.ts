import { type ApiMethod, type ApiVersion, ladder } from "../../version/index.js";
import { type ShimFacts, type ShimName, shims } from "./shims/index.js";

/** What calls of an RPC do, by the version of the server. */
export interface OnOlderServers {
  /** The RPC, as `Agent.UpdateAppStatus`. */
  rpc: string;
  /** Its method on the client. */
  method: ApiMethod;
  /** The first version that promises it. */
  since: ApiVersion;
  /**
   * The older ways of its calls. Where none of them stands for the RPC, a call on a server that does not have it
   * fails with `UnsupportedByServerError`.
   */
  shims: ShimFacts<ShimName>[];
}

/** What calls do where the server does not have their RPC, for all RPCs, oldest first. C10.1–C10.23. */
export function onOlderServers(): OnOlderServers[] {
  return ladder()
    .filter(({ kind }) => kind === "method")
    .map(({ parent, name, since }) => {
      const method = (name.charAt(0).toLowerCase() + name.slice(1)) as ApiMethod;
      return {
        rpc: `${parent.split(".").at(-1)}.${name}`,
        method,
        since,
        shims: shims.filter((shim) => shim.method === method).map(factsOf),
      };
    });
}

function factsOf({ name, method, way, rule, when, standsIn }: ShimFacts<ShimName>): ShimFacts<ShimName> {
  return { name, method, way, rule, when, standsIn };
}
