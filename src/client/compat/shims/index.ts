import { appStatusOverHttp } from "./app-status.js";
import { bannersFromServiceBanner } from "./banners.js";
import { logLimitFromError } from "./log-limit.js";
import { logsOverHttp } from "./logs.js";

export type { ServerWays, Shim, ShimFacts } from "./shim.js";

/** All older ways that there are. An RPC that has none fails with `UnsupportedByServerError`. */
export const shims = [bannersFromServiceBanner, appStatusOverHttp, logsOverHttp, logLimitFromError] as const;

/** The name of an older way. */
export type ShimName = (typeof shims)[number]["name"];

/** Which older ways are taken: all by default, none with `false`, all but some with `{ logsOverHttp: false }`. */
export type ShimChoice = false | { readonly [Name in ShimName]?: boolean };
