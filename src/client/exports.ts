/** What the client exports on every runtime. */

export type { RpcErrorLayer } from "../rpc/index.js";
export { isUnimplemented, RpcError } from "../rpc/index.js";
export type { TransportErrorCode, YamuxOptions } from "../transport/index.js";
export { TransportError } from "../transport/index.js";
export type { ApiMethod, ApiVersion, ApiVersionText } from "../version/index.js";
export type { OnOlderServers } from "./compat/older-servers.js";
export { onOlderServers } from "./compat/older-servers.js";
export type { ShimChoice, ShimFacts, ShimName } from "./compat/shims/index.js";
export type { UnsupportedFacts } from "./compat/unsupported.js";
export { UnsupportedByServerError } from "./compat/unsupported.js";
export type { AgentConnection, AgentConnectionOptions, NewestVersionText } from "./dial/connection.js";
export { createAgentConnection } from "./dial/connection.js";
export type { TypedVersion } from "./dial/dial.js";
export type { DialOptions, TokenProvider, TokenSource, VersionChoice } from "./dial/dial-options.js";
export type { AgentHttpOptions } from "./http/agent-request.js";
export type { LogSourceRequest } from "./http/log-source.js";
export { externalLogSourceId, registerLogSource } from "./http/log-source.js";
export type { RefusalFacts, Validation } from "./http/refusal.js";
export { DialError, HttpError } from "./http/request-errors.js";
export { LineSplitter } from "./logs/line-splitter.js";
export type { LogLine, LogSenderOptions } from "./logs/log-sender.js";
export { LogSender } from "./logs/log-sender.js";
export * from "./names.js";
export type { DropCounts } from "./senders/drops.js";
export type { AgentClient, Sender } from "./senders/sender.js";
