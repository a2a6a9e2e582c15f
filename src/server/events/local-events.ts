import { type EventSubscriber, type Events, type EventTopic, isOfTopic, type ServerEvent } from "./events.js";

/** Events within this process. Subscribers are called at once, so that none is ever lost. */
export class LocalEvents implements Events {
  readonly #subscriptions = new Set<{ topic: EventTopic; subscriber: EventSubscriber }>();
  readonly #observers = new Set<(event: ServerEvent) => void>();

  publish(event: ServerEvent): void {
    for (const observer of this.#observers) attempt(() => observer(event));
    for (const { topic, subscriber } of this.#subscriptions) {
      if (isOfTopic(event, topic)) attempt(() => subscriber.onEvent(event));
    }
  }

  async subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    const subscription = { topic, subscriber };
    this.#subscriptions.add(subscription);
    return () => this.#subscriptions.delete(subscription);
  }

  /** Hears of everything. @returns what ends it. */
  onPublish(observer: (event: ServerEvent) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  async close(): Promise<void> {
    this.#subscriptions.clear();
    this.#observers.clear();
  }
}

/** An event is a hint; a subscriber that fails over one has only itself to tell. */
function attempt(tell: () => void): void {
  try {
    tell();
  } catch {
    // nobody is waiting for it
  }
}
