/** What can happen in a workspace, in the words of the API. S6. */
export const workspaceEventKinds = [
  /** A build, a new name, a new owner, its end. */
  "state_change",
  /** Somebody uses it. */
  "stats_update",
  /** What is known of the workspace itself: when it starts and ends by itself. Not the metadata of its agents. */
  "mtd_update",
  "app_health",
  "agt_lifecycle_update",
  "agt_connection_update",
  "agt_first_logs",
  "agt_logs_overflow",
  /** An agent has not connected in time. */
  "agt_timeout",
  "agt_app_status_update",
] as const;

/** One of {@link workspaceEventKinds}. */
export type WorkspaceEventKind = (typeof workspaceEventKinds)[number];

/**
 * A hint that something has changed. It says what and where, not how: whoever wants to know reads the store. S6.3.
 */
export type ServerEvent =
  /** Goes to the owner. Only some kinds are about one agent. */
  | {
      topic: "workspace";
      kind: WorkspaceEventKind;
      ownerId: string;
      workspaceId: string;
      agentId?: string | undefined;
    }
  /** An agent has lines with higher ids than this. */
  | { topic: "logs"; agentId: string; createdAfter: number }
  /** Agents have new values of metadata. */
  | { topic: "metadata"; agentIds: readonly string[] }
  /** A prebuilt workspace has got its owner. */
  | { topic: "claim"; workspaceId: string; ownerId: string | undefined; reason: string };

/** What to be told of. */
export type EventTopic =
  /** Events of all workspaces. */
  | { of: "workspaces" }
  /** Events of one owner's workspaces. */
  | { of: "owner"; ownerId: string }
  | { of: "logs"; agentId: string }
  | { of: "metadata" }
  | { of: "claim"; workspaceId: string };

/** Who is told. What it throws is not heard. */
export interface EventSubscriber {
  /** Something has changed. */
  onEvent(event: ServerEvent): void;
  /** Events have been lost: read again what they may have been about. S6.4. */
  onDropped?(): void;
}

/** Where handlers say what has happened, and where others hear of it. */
export interface Events {
  /** Says it. Never throws and never waits: events are hints, and no call fails for one. S6.2. */
  publish(event: ServerEvent): void;
  /**
   * Hears of a topic, in the order of publication, from when the promise resolves.
   * @returns what ends it.
   * @throws TypeError when an id of the topic is not a UUID in lower case; Error when it is closed or no engine answers.
   */
  subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void>;
  /** Ends all subscriptions and gives back what it holds. */
  close(): Promise<void>;
}

/** Told of events that could not be published or read, and of connections that were lost; what it throws is not heard. */
export type OnEventProblem = (error: Error) => void;

/** True when an event is of a topic. */
export function isOfTopic(event: ServerEvent, topic: EventTopic): boolean {
  switch (topic.of) {
    case "workspaces":
      return event.topic === "workspace";
    case "owner":
      return event.topic === "workspace" && event.ownerId === topic.ownerId;
    case "logs":
      return event.topic === "logs" && event.agentId === topic.agentId;
    case "metadata":
      return event.topic === "metadata";
    case "claim":
      return event.topic === "claim" && event.workspaceId === topic.workspaceId;
  }
}
