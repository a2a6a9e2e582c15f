/**
 * The tailnet service, and short names for the nested names that its callers write most. Every other generated name is
 * in `agentwire/gen/tailnet`.
 */
export {
  CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind,
  type Node as TailnetNode,
  Tailnet,
  TelemetryEvent_ClientType as TelemetryClientType,
  TelemetryEvent_Status as TelemetryStatus,
  Workspace_Status as WorkspaceStatus,
} from "../../gen/coder/tailnet/v2/tailnet_pb.js";
