/** What the client exports on every runtime. */

export type { RpcErrorLayer } from "../rpc/index.js";
export { isUnimplemented, RpcError } from "../rpc/index.js";
export type { TransportErrorCode, YamuxOptions } from "../transport/index.js";
export { TransportError } from "../transport/index.js";
export type { ApiMethod, ApiVersion, ApiVersionText } from "../version/index.js";
export type { AgentConnection, NewestVersionText } from "./connection.js";
export { createAgentConnection } from "./connection.js";
export type { TypedVersion } from "./dial.js";
export type { DialOptions, TokenSource, VersionChoice } from "./dial-options.js";
export { LineSplitter } from "./line-splitter.js";
export type { LogLine, LogSenderOptions } from "./log-sender.js";
export { LogSender } from "./log-sender.js";
export type { LogSourceRequest } from "./log-source.js";
export { externalLogSourceId, registerLogSource } from "./log-source.js";
export * from "./names.js";
export type { RefusalFacts, Validation } from "./refusal.js";
export { DialError, HttpError } from "./request-errors.js";
