/** What can happen to an agent, in the words of the API. S6. */
export type AgentEventKind =
  | "agt_connection_update"
  | "agt_lifecycle_update"
  | "agt_app_status_update"
  | "agt_first_logs"
  | "agt_logs_overflow"
  | "app_health";

/**
 * A hint that something has changed. It says what and where, not how: whoever wants to know reads the store. S6.3.
 */
export type ServerEvent =
  | { topic: "agent"; kind: AgentEventKind; ownerId: string; workspaceId: string; agentId: string }
  | { topic: "stats"; ownerId: string; workspaceId: string }
  | { topic: "logs"; agentId: string; createdAfter: number }
  | { topic: "metadata"; agentIds: readonly string[] };

/** Where handlers say what has happened. Publishing never fails a call. */
export interface Events {
  /** Says it. Must not throw and must not wait. */
  publish(event: ServerEvent): void;
}

/** Events within this process. */
export class LocalEvents implements Events {
  readonly #subscribers = new Set<(event: ServerEvent) => void>();

  publish(event: ServerEvent): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(event);
      } catch {
        // An event is a hint; a subscriber that fails over one has only itself to tell.
      }
    }
  }

  /** @returns what ends the subscription. */
  subscribe(subscriber: (event: ServerEvent) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
