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
export type { AgentConnection, AgentConnectionOptions } from "./dial/connection.js";
export { createAgentConnection } from "./dial/connection.js";
export type { TypedVersion } from "./dial/dial.js";
export type { DialOptions, EndpointOptions, VersionChoice } from "./dial/dial-options.js";
export type { NewestVersionText, TailnetConnection } from "./dial/tailnet-connection.js";
export type { AgentHttpOptions } from "./http/agent-request.js";
export { refreshChatContext } from "./http/chat-context.js";
export type { ExternalAuthRequest, ExternalAuthToken } from "./http/external-auth.js";
export { fetchExternalAuth } from "./http/external-auth.js";
export type { GitSshKey } from "./http/git-ssh-key.js";
export { fetchGitSshKey } from "./http/git-ssh-key.js";
export type { LogSourceRequest } from "./http/log-source.js";
export { externalLogSourceId, registerLogSource } from "./http/log-source.js";
export type { PatchAppStatusRequest } from "./http/patch-app-status.js";
export { patchAppStatus } from "./http/patch-app-status.js";
export type { PatchLogsRequest } from "./http/patch-logs.js";
export { patchLogs } from "./http/patch-logs.js";
export type { RefusalFacts, Validation } from "./http/refusal.js";
export { DialError, HttpError } from "./http/request-errors.js";
export { appStatusStates, logLevels } from "./http/words.js";
export type { HttpLogSenderOptions } from "./logs/http-log-sender.js";
export { HttpLogSender } from "./logs/http-log-sender.js";
export { LineSplitter } from "./logs/line-splitter.js";
export type { LineTarget, LineWriterOptions } from "./logs/line-writer.js";
export { LineWriter } from "./logs/line-writer.js";
export type { LogLine } from "./logs/log-line.js";
export type { LogSenderOptions } from "./logs/log-sender.js";
export { LogSender } from "./logs/log-sender.js";
export type { SourceLogSender } from "./logs/script-logger.js";
export { ScriptLogger } from "./logs/script-logger.js";
export * from "./names.js";
export { ReinitError } from "./reinit/reinit-error.js";
export type { ReinitEvent } from "./reinit/reinit-event.js";
export type { ReinitOptions } from "./reinit/reinit-events.js";
export { reinitEvents, reinitsFor } from "./reinit/reinit-events.js";
export type { RetryCurve, RetryCurveOptions } from "./retry-curve.js";
export { retryCurve } from "./retry-curve.js";
export type { AppHealthSenderOptions } from "./senders/app-health-sender.js";
export { AppHealthSender } from "./senders/app-health-sender.js";
export type { AppStatus, AppStatusSenderOptions } from "./senders/app-status-sender.js";
export { AppStatusSender } from "./senders/app-status-sender.js";
export type { BoundaryLogMetric, BoundaryLogSenderOptions } from "./senders/boundary-log-sender.js";
export { BoundaryLogSender } from "./senders/boundary-log-sender.js";
export type {
  ConnectionEnd,
  ConnectionSenderOptions,
  ConnectionStart,
  OpenConnection,
} from "./senders/connection-sender.js";
export { ConnectionSender } from "./senders/connection-sender.js";
export type { ContextPush, ContextPushSource, ContextSenderOptions } from "./senders/context-sender.js";
export { ContextSender } from "./senders/context-sender.js";
export type { DropCounts } from "./senders/drops.js";
export type { LifecycleName, LifecycleSenderOptions } from "./senders/lifecycle-sender.js";
export { LifecycleSender } from "./senders/lifecycle-sender.js";
export type { MetadataSenderOptions, MetadataValue } from "./senders/metadata-sender.js";
export { MetadataSender } from "./senders/metadata-sender.js";
export type { ResourceSample, ResourcesSenderOptions, WantedResources } from "./senders/resources-sender.js";
export { ResourcesSender } from "./senders/resources-sender.js";
export type { ScriptTiming, ScriptTimingSenderOptions } from "./senders/script-timing-sender.js";
export { ScriptTimingSender } from "./senders/script-timing-sender.js";
export type { AgentClient, Sender } from "./senders/sender.js";
export type { StatsInit, StatsSenderOptions } from "./senders/stats-sender.js";
export { StatsSender } from "./senders/stats-sender.js";
export type { BackoffOptions } from "./session/backoff.js";
export type { FinalAnswerOptions } from "./session/final-answers.js";
export type { ReinitFollowing } from "./session/follow-reinits.js";
export type {
  ReconnectingSession,
  SessionEnd,
  SessionOptions,
  SessionOver,
} from "./session/session-options.js";
export type { SessionState, Unsent } from "./session/states.js";
export type { CoordinationOptions } from "./tailnet/coordination.js";
export { Coordination } from "./tailnet/coordination.js";
export type { TailnetNodeInit } from "./tailnet/coordination-stream.js";
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
export { awsIdentity } from "./tokens/aws-identity.js";
export { azureIdentity } from "./tokens/azure-identity.js";
export type { CloudIdentityOptions } from "./tokens/cloud-identity.js";
export { fixedToken } from "./tokens/fixed-token.js";
export type { GoogleIdentityOptions } from "./tokens/google-identity.js";
export { googleIdentity } from "./tokens/google-identity.js";
export type { MetadataOptions } from "./tokens/metadata-request.js";
export type { TokenSetting } from "./tokens/token-setting-error.js";
export { TokenSettingError } from "./tokens/token-setting-error.js";
export type { TokenProvider, TokenSource } from "./tokens/token-source.js";
