/** What the client exports on every runtime. */

export * from "./agent/exports.js";
export type { AgentConnection } from "./dial/agent-connection.js";
export { createAgentConnection } from "./dial/agent-connection.js";
export type { AgentOnlyConnection } from "./dial/agent-only-connection.js";
export type { TailnetConnection } from "./dial/tailnet-connection.js";
export type { ReconnectingSession, SessionOptions } from "./session/session-options.js";
export type { SessionState } from "./session/states.js";
export type { CoordinationOptions } from "./tailnet/coordination.js";
export { Coordination } from "./tailnet/coordination.js";
export type { TailnetNodeInit } from "./tailnet/coordination-stream.js";
export * from "./tailnet/names.js";
export type {
  NetworkConnection,
  TailnetEnd,
  TailnetNetwork,
  TailnetNetworkOptions,
} from "./tailnet/network-options.js";
export type { TailnetNotice } from "./tailnet/notices.js";
export type { TailnetPeer, TailnetPeers } from "./tailnet/peers.js";
export type { FollowDerpMapsOptions } from "./tailnet/relay-maps.js";
export { followDerpMaps, rewriteEmbeddedRelay } from "./tailnet/relay-maps.js";
export type { TailnetDialOptions, TailnetVersionText } from "./tailnet/tailnet-options.js";
export type { TelemetryEventInit } from "./tailnet/telemetry.js";
export type { FollowedAgent, FollowedWorkspace, FollowedWorkspaces } from "./tailnet/workspaces.js";
export { followWorkspaces } from "./tailnet/workspaces.js";
