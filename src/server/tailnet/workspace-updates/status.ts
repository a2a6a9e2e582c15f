import { Workspace_Status } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { BuildRecord } from "../../../store/index.js";

const whileBuilding: Readonly<Record<string, Workspace_Status>> = {
  start: Workspace_Status.STARTING,
  stop: Workspace_Status.STOPPING,
  delete: Workspace_Status.DELETING,
};

const onceBuilt: Readonly<Record<string, Workspace_Status>> = {
  start: Workspace_Status.RUNNING,
  stop: Workspace_Status.STOPPED,
  delete: Workspace_Status.DELETED,
};

/** How a workspace is, by its latest build. S4.33. */
export function workspaceStatus({
  transition,
  job,
}: Pick<BuildRecord, "transition" | "job">): Workspace_Status {
  switch (job.status) {
    case "pending":
      return Workspace_Status.PENDING;
    case "running":
      return whileBuilding[transition] ?? Workspace_Status.UNKNOWN;
    case "succeeded":
      return onceBuilt[transition] ?? Workspace_Status.UNKNOWN;
    case "failed":
      return Workspace_Status.FAILED;
    case "canceled":
      return Workspace_Status.CANCELED;
    default:
      // a store of somebody's own may know more
      return Workspace_Status.UNKNOWN;
  }
}
