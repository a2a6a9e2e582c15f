/**
 * The services, and short names for the nested names that callers write most. Every other generated name is in
 * `agentwire/gen/agent` and `agentwire/gen/tailnet`.
 */
export {
  Agent,
  AppHealth,
  Connection_Action as ConnectionAction,
  Connection_Type as ConnectionType,
  ContextResource_Status as ContextResourceStatus,
  CreateSubAgentRequest_App_OpenIn as SubAgentAppOpenIn,
  CreateSubAgentRequest_App_SharingLevel as SubAgentAppSharingLevel,
  CreateSubAgentRequest_DisplayApp as DisplayApp,
  type CreateSubAgentRequestSchema,
  Lifecycle_State as LifecycleState,
  Log_Level as LogLevel,
  type Manifest,
  Startup_Subsystem as Subsystem,
  type Stats,
  Stats_Metric_Type as StatsMetricType,
  Timing_Stage as TimingStage,
  Timing_Status as TimingStatus,
  UpdateAppStatusRequest_AppStatusState as AppStatusState,
  WorkspaceApp_Health as WorkspaceAppHealth,
  WorkspaceApp_SharingLevel as WorkspaceAppSharingLevel,
} from "../gen/coder/agent/v2/agent_pb.js";
export {
  CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind,
  type DERPMap,
  type Node as TailnetNode,
  Tailnet,
  TelemetryEvent_ClientType as TelemetryClientType,
  TelemetryEvent_Status as TelemetryStatus,
  Workspace_Status as WorkspaceStatus,
} from "../gen/coder/tailnet/v2/tailnet_pb.js";
