import { attempt, report } from "../engines/problems.js";
import { checkTopic, whyInvalid } from "./check-event.js";
import {
  type EventSubscriber,
  type Events,
  type EventTopic,
  isOfTopic,
  type OnEventProblem,
  type ServerEvent,
} from "./events.js";
import { closedError } from "./subscribers.js";

/** Events within this process. Subscribers are called at once, so that none is ever lost. */
export class LocalEvents implements Events {
  readonly #subscriptions = new Set<{ topic: EventTopic; subscriber: EventSubscriber }>();
  readonly #observers = new Set<(event: ServerEvent) => void>();
  readonly #onProblem: OnEventProblem | undefined;
  #isClosed = false;

  constructor(options: { onProblem?: OnEventProblem } = {}) {
    this.#onProblem = options.onProblem;
  }

  publish(event: ServerEvent): void {
    const why = whyInvalid(event);
    if (why !== undefined) {
      report(this.#onProblem, new TypeError(`An event was not published: ${why}.`));
      return;
    }
    for (const observer of this.#observers) attempt(() => observer(event));
    for (const subscription of [...this.#subscriptions]) {
      const { topic, subscriber } = subscription;
      if (!isOfTopic(event, topic) || !this.#subscriptions.has(subscription)) continue;
      attempt(() => subscriber.onEvent(event));
    }
  }

  async subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    if (this.#isClosed) throw closedError();
    checkTopic(topic);
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
    this.#isClosed = true;
    this.#subscriptions.clear();
    this.#observers.clear();
  }
}
