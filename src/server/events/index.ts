/** How parts of a control plane hear of each other. */
export type { EventSubscriber, Events, EventTopic, ServerEvent, WorkspaceEventKind } from "./events.js";
export { isOfTopic, workspaceEventKinds } from "./events.js";
export { LocalEvents } from "./local-events.js";
export { ObservedEvents } from "./observed-events.js";
