/**
 * The agent service, and short names for the nested names that its callers write most. Every other generated name is
 * in `agentwire/gen/agent`.
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

/** The relays, which a manifest has too. */
export type { DERPMap } from "../gen/coder/tailnet/v2/derp_map_pb.js";
