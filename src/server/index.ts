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
export type { OnSessionChange, OpenSession } from "./admin/open-sessions.js";
export { OpenSessions } from "./admin/open-sessions.js";
export type { AgentApi, AgentApiOptions } from "./agent-api.js";
export { createAgentApi } from "./agent-api.js";
export type { AgentIdentity, AgentSession } from "./agent-session.js";
export { agentSessionKey, isAgentRole } from "./agent-session.js";
export type { AgentHealth, AgentStatus, ConnectionStatus, StatusFacts } from "./agent-status.js";
export { agentHealth, agentStatus } from "./agent-status.js";
export type { FieldError } from "./api-error.js";
export { ApiError } from "./api-error.js";
export { authenticateAgent } from "./authenticate.js";
export type { MonitorOptions } from "./connection-monitor.js";
export type { ControlPlane, ControlPlaneOptions } from "./control-plane.js";
export { startControlPlane } from "./control-plane.js";
export type { DialRequest } from "./dial-request.js";
export type {
  EngineOptions,
  EventMessage,
  EventSubscriber,
  Events,
  EventTopic,
  NatsEventsOptions,
  OnEventProblem,
  PostgresEventsOptions,
  ServerEvent,
  WorkspaceEventKind,
} from "./events/index.js";
export {
  channelOf,
  eventOf,
  isOfTopic,
  LocalEvents,
  messagesOf,
  ObservedEvents,
  openNatsEvents,
  openPostgresEvents,
  whyInvalid,
  workspaceEventKinds,
} from "./events/index.js";
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
export type {
  ExternalAuth,
  ExternalAuthLink,
  ExternalAuthProvider,
  RefreshedToken,
  RefusedRefresh,
} from "./http/agents/external-auth-tokens.js";
export type { NodeServer } from "./http/attach.js";
export type { GitSshKey, GitSshKeys, HttpOptions, LogSnapshot } from "./http/options.js";
export type { RateLimitOptions } from "./http/rate-limit.js";
export type { ApiUser } from "./http/users/api-user.js";
export type {
  AwsIdentityOptions,
  AzureIdentityOptions,
  GoogleIdentityOptions,
  InstanceIdentityOptions,
} from "./identity/index.js";
export type { ReachedAt } from "./reached-at.js";
export type { RpcEndpoint, RpcEndpointOptions, RpcSession } from "./rpc-endpoint.js";
export { attachRpc, createRpcEndpoint, defaultRpcPath } from "./rpc-endpoint.js";
export type { Coordination, Coordinator, CoordinatorLimits, Peer } from "./tailnet/coordinator.js";
export type {
  ClosableDerpMap,
  DerpMapFileOptions,
  DerpMapFromOptions,
  DerpMapOption,
  DerpMapSource,
  DerpMapUrlOptions,
  OnDerpMapProblem,
} from "./tailnet/derp/index.js";
export { DerpMapError, derpMapFile, derpMapFrom, derpMapUrl, sameDerpMap } from "./tailnet/derp/index.js";
export { LocalCoordinator } from "./tailnet/local-coordinator.js";
export type { PostgresCoordinatorOptions } from "./tailnet/postgres/index.js";
export { openPostgresCoordinator } from "./tailnet/postgres/index.js";
export type { TailnetOptions } from "./tailnet/tailnet.js";
export type { DesktopTelemetry, TelemetrySink, UserConnectionRecord } from "./tailnet/telemetry-batch.js";
export { agentRule, anythingGoes, clientRule, userRule } from "./tailnet/tunnel-auth.js";
export { readWorkspaces, WorkspacesFileError } from "./workspaces-file.js";
export type { WorkspacesWatchOptions } from "./workspaces-watch.js";
export { watchWorkspaces } from "./workspaces-watch.js";
