import { attempt } from "../engines/problems.js";
import type { EventSubscriber, ServerEvent } from "./events.js";

/** Who listens on which channel. Events are handed on as they come: nothing waits here, so nothing can grow. S6.4. */
export class Subscribers {
  readonly #byChannel = new Map<string, Set<{ subscriber: EventSubscriber }>>();

  /** @returns what takes it off again, and says whether it was the channel's last; false when it was off already. */
  add(channel: string, subscriber: EventSubscriber): () => boolean {
    const there = this.#byChannel.get(channel) ?? new Set();
    this.#byChannel.set(channel, there);
    const subscription = { subscriber };
    there.add(subscription);
    return () => {
      if (!there.delete(subscription) || there.size > 0) return false;
      if (this.#byChannel.get(channel) === there) this.#byChannel.delete(channel);
      return true;
    };
  }

  has(channel: string): boolean {
    return this.#byChannel.has(channel);
  }

  get channels(): string[] {
    return [...this.#byChannel.keys()];
  }

  tell(channel: string, event: ServerEvent): void {
    this.#each(channel, (subscriber) => subscriber.onEvent(event));
  }

  /** Events of a channel, or of all when none is named, have been lost. */
  tellDropped(channel?: string): void {
    for (const each of channel === undefined ? this.channels : [channel]) {
      this.#each(each, (subscriber) => subscriber.onDropped?.());
    }
  }

  clear(): void {
    for (const there of this.#byChannel.values()) there.clear();
    this.#byChannel.clear();
  }

  #each(channel: string, tell: (subscriber: EventSubscriber) => void): void {
    const there = this.#byChannel.get(channel);
    if (there === undefined) return;
    // whoever subscribes while told is not told of what came before; whoever has left is not told any more
    for (const subscription of [...there]) {
      if (there.has(subscription)) attempt(() => tell(subscription.subscriber));
    }
  }
}

/** What whoever subscribes after the end is told. */
export function closedError(): Error {
  return new Error("Events are closed: nothing can be subscribed to any more.");
}
