import { normalizeUuid } from "../../codec/index.js";
import type { Events } from "../events/index.js";
import { wrong } from "./definitions.js";
import { EventQueue, type QueuedEvent } from "./event-queue.js";
import type { OpenSessions } from "./open-sessions.js";

/** What somebody watches, besides the events of all workspaces. */
export interface Watch {
  /** Also the lines and the metadata of this agent; an empty text for none. */
  agentId: string;
  /** Also sessions of this server, and a sign of life now and then. */
  withSessions: boolean;
}

/** Where events come from. */
export interface WatchedEventsDeps {
  events: Events;
  sessions: OpenSessions;
  /** How often there is a sign of life. */
  pingIntervalMs: number;
}

/** An event as the admin API tells it. */
interface ToldEvent {
  kind?: string;
  ownerId?: string;
  workspaceId?: string;
  agentId?: string;
  dropped?: boolean;
}

/**
 * Events as they come, until the signal ends them.
 * @throws ConnectError with `Code.InvalidArgument` for an agent that is no UUID.
 */
export async function* watchedEvents(
  { events, sessions, pingIntervalMs }: WatchedEventsDeps,
  { agentId: agentText, withSessions }: Watch,
  signal: AbortSignal,
): AsyncGenerator<ToldEvent, void, undefined> {
  const agentId = agentText === "" ? undefined : normalizeUuid(agentText);
  if (agentId === undefined && agentText !== "") throw wrong("agent_id", "must be a UUID");
  const queue = new EventQueue();
  const ends: (() => void)[] = [];
  try {
    ends.push(await events.subscribe({ of: "workspaces" }, queue));
    if (agentId !== undefined) {
      ends.push(await events.subscribe({ of: "logs", agentId }, queue));
      ends.push(await events.subscribe({ of: "metadata" }, metadataOf(agentId, queue)));
    }
    if (withSessions) {
      ends.push(
        sessions.onChange(({ ownerId, workspaceId, agentId: id }) =>
          queue.onEvent({ topic: "session", ownerId, workspaceId, agentId: id }),
        ),
      );
      const pinging = setInterval(() => queue.onEvent({ topic: "alive" }), pingIntervalMs);
      ends.push(() => clearInterval(pinging));
      yield { kind: "watching" };
    }
    for await (const event of queue.until(signal)) {
      const told = event === "dropped" ? { dropped: true } : toldEvent(event, agentId);
      if (told !== undefined) yield told;
    }
  } finally {
    for (const end of ends) end();
  }
}

/** Metadata of all agents is one topic: what is about others would only fill the queue. */
function metadataOf(agentId: string, queue: EventQueue) {
  return {
    onEvent(event: QueuedEvent) {
      if (event.topic === "metadata" && event.agentIds.includes(agentId)) queue.onEvent(event);
    },
    onDropped: () => queue.onDropped(),
  };
}

function toldEvent(event: QueuedEvent, watchedAgentId = ""): ToldEvent | undefined {
  switch (event.topic) {
    case "workspace": {
      const { kind, ownerId, workspaceId, agentId = "" } = event;
      return { kind, ownerId, workspaceId, agentId };
    }
    case "session": {
      const { ownerId, workspaceId, agentId } = event;
      return { kind: "session_update", ownerId, workspaceId, agentId };
    }
    case "logs":
      return { kind: "logs", agentId: event.agentId };
    case "metadata":
      return { kind: "metadata", agentId: watchedAgentId };
    case "alive":
      return { kind: "alive" };
    case "claim":
      return undefined;
  }
}
