/** What the client exports on every runtime. */

export type { RpcErrorLayer } from "../rpc/index.js";
export { isUnimplemented, RpcError } from "../rpc/index.js";
export type { TransportErrorCode, YamuxOptions } from "../transport/index.js";
export { TransportError } from "../transport/index.js";
export type { ApiMethod, ApiVersion, ApiVersionText } from "../version/index.js";
export type { AgentConnection, NewestVersionText } from "./connection.js";
export { createAgentConnection } from "./connection.js";
export type { TypedVersion } from "./dial.js";
export type { DialErrorFacts, Validation } from "./dial-error.js";
export { DialError } from "./dial-error.js";
export type { DialOptions, TokenSource, VersionChoice } from "./dial-options.js";
export * from "./names.js";
