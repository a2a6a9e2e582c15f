import type { EventSubscriber, ServerEvent } from "../events/index.js";

/** So many events may wait for a slow reader; then it is told that some were lost. S6.4. */
const maxWaiting = 2048;

/** A session has begun or ended on this server, in whichever role. */
interface SessionEvent {
  topic: "session";
  ownerId: string;
  workspaceId: string;
  agentId: string;
}

/** Nothing has happened, but the stream is there. */
interface AliveEvent {
  topic: "alive";
}

/** What waits for a reader. */
export type QueuedEvent = ServerEvent | SessionEvent | AliveEvent;

/** Events for a reader that takes them one by one. */
export class EventQueue implements EventSubscriber {
  #waiting: (QueuedEvent | "dropped")[] = [];
  #wake: (() => void) | undefined;

  onEvent(event: QueuedEvent): void {
    if (this.#waiting.length < maxWaiting) this.#waiting.push(event);
    // what waits is not worth more than that: the reader reads everything again
    else this.#waiting = ["dropped"];
    this.#wake?.();
  }

  onDropped(): void {
    this.#waiting = ["dropped"];
    this.#wake?.();
  }

  /** What comes, until the signal ends it. */
  async *until(signal: AbortSignal): AsyncGenerator<QueuedEvent | "dropped", void, undefined> {
    const end = () => this.#wake?.();
    signal.addEventListener("abort", end);
    try {
      while (!signal.aborted) {
        const next = this.#waiting.shift();
        if (next !== undefined) yield next;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", end);
    }
  }
}
