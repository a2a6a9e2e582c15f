import { attempt } from "../engines/problems.js";
import type { EventSubscriber, Events, EventTopic, ServerEvent } from "./events.js";

/** Events of whichever kind, with everything that this process publishes to be seen as it goes by. */
export class ObservedEvents implements Events {
  readonly #inner: Events;
  readonly #observers = new Set<(event: ServerEvent) => void>();

  constructor(inner: Events) {
    this.#inner = inner;
  }

  publish(event: ServerEvent): void {
    // whoever looks on must not keep an event from those who wait for it
    for (const observer of this.#observers) attempt(() => observer(event));
    this.#inner.publish(event);
  }

  subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    return this.#inner.subscribe(topic, subscriber);
  }

  /** Sees what this process publishes. @returns what ends it. */
  onPublish(observer: (event: ServerEvent) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
