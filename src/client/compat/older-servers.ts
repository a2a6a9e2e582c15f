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

/** Where it stands for an RPC. */
const whenRefused = { when: "the server does not have the RPC", standsIn: true };

/** What a reader wants to know of the older ways, and no call. */
const told: { readonly [Name in ShimName]: Pick<ShimFacts, "rule" | "when" | "standsIn"> } = {
  bannersFromServiceBanner: { rule: "one banner, or none when all of it is empty", ...whenRefused },
  appStatusOverHttp: { rule: "the same status as JSON; refusals are an `HttpError`", ...whenRefused },
  logsOverHttp: {
    rule: "the same lines as JSON; status 413 is the answer `logLimitExceeded`",
    ...whenRefused,
  },
  logLimitFromError: {
    rule: "nothing is sent again",
    when: "the server answers with an error that says `log limit exceeded`",
    standsIn: false,
  },
};

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

function factsOf({ name, method, way }: (typeof shims)[number]): ShimFacts<ShimName> {
  return { name, method, way, ...told[name] };
}
