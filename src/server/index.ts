/**
 * Serving the agent API: the wire alone (`attachRpc`), all handlers on your own store (`createAgentApi`), or a
 * whole control plane (`startControlPlane`).
 */

export type { Routes } from "../rpc/index.js";
// the handlers' side of dRPC
export { metadataKey, RpcError } from "../rpc/index.js";
export type { AgentStore, WorkspaceDefinition } from "../store/index.js";
export { MemoryStore } from "../store/index.js";
export type { AdminApi, AdminApiOptions } from "./admin/admin-api.js";
export { createAdminApi } from "./admin/admin-api.js";
export type { AgentApi, AgentApiOptions } from "./agent-api.js";
export { createAgentApi } from "./agent-api.js";
export type { AgentIdentity, AgentSession } from "./agent-session.js";
export { agentSessionKey, isAgentRole } from "./agent-session.js";
export type { FieldError } from "./api-error.js";
export { ApiError } from "./api-error.js";
export type { NodeServer } from "./attach.js";
export { authenticateAgent } from "./authenticate.js";
export type { MonitorOptions } from "./connection-monitor.js";
export type { ControlPlane, ControlPlaneOptions } from "./control-plane.js";
export { startControlPlane } from "./control-plane.js";
export type { EventSubscriber, Events, EventTopic, ServerEvent, WorkspaceEventKind } from "./events/index.js";
export { isOfTopic, LocalEvents, ObservedEvents, workspaceEventKinds } from "./events/index.js";
export type { ManifestSettings } from "./handlers/deps.js";
export { HandlerFailure } from "./handlers/failure.js";
export type {
  Activity,
  CounterName,
  GaugeName,
  HistogramName,
  LogFields,
  Logger,
  MetricLabels,
  Metrics,
  Notification,
  Notifications,
} from "./hooks.js";
export type { DialRequest, RpcEndpoint, RpcEndpointOptions, RpcSession } from "./rpc-endpoint.js";
export { attachRpc, createRpcEndpoint, defaultRpcPath } from "./rpc-endpoint.js";
export { readWorkspaces, WorkspacesFileError } from "./workspaces-file.js";
export type { WorkspacesWatchOptions } from "./workspaces-watch.js";
export { watchWorkspaces } from "./workspaces-watch.js";
