/** What lives beside an agent on its machine. For Node. */
export { LineSplitter } from "../client/index-node.js";
// boundary logs
export type { BoundaryLogClient, BoundaryLogClientOptions } from "./boundary/log-client.js";
export { createBoundaryLogClient } from "./boundary/log-client.js";
export type { BoundaryLogEntry } from "./boundary/log-frames.js";
export type { LogNumber as BoundaryLogNumber } from "./boundary/log-numbers.js";
export type {
  BoundaryLogProxy,
  BoundaryLogProxyLimits,
  BoundaryLogProxyOptions,
} from "./boundary/log-proxy.js";
export { createBoundaryLogProxy } from "./boundary/log-proxy.js";
export type { BoundaryLogSink } from "./boundary/proxy-connection.js";
export {
  boundaryLogSocketPath,
  boundaryLogSocketVariables,
  defaultBoundaryLogSocketPath,
} from "./boundary/socket-path.js";
