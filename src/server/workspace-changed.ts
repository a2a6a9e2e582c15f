import type { WorkspaceRecord } from "../store/index.js";
import type { Events } from "./events/index.js";

/** Tells all who follow a workspace that it is not as it was. */
export function workspaceChanged(events: Events, { id: workspaceId, ownerId }: WorkspaceRecord): void {
  events.publish({ topic: "workspace", kind: "state_change", ownerId, workspaceId });
}
