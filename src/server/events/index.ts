/** How parts of a control plane, and several of them, hear of each other. */
export { channelOf } from "./channels.js";
export { whyInvalid } from "./check-event.js";
export type { EventMessage } from "./event-message.js";
export { eventOf, messagesOf } from "./event-message.js";
export type { EngineOptions } from "./event-options.js";
export type {
  EventSubscriber,
  Events,
  EventTopic,
  OnEventProblem,
  ServerEvent,
  WorkspaceEventKind,
} from "./events.js";
export { isOfTopic, workspaceEventKinds } from "./events.js";
export { LocalEvents } from "./local-events.js";
export type { NatsEventsOptions } from "./nats-events.js";
export { openNatsEvents } from "./nats-events.js";
export { ObservedEvents } from "./observed-events.js";
export type { PostgresEventsOptions } from "./postgres-events.js";
export { openPostgresEvents } from "./postgres-events.js";
