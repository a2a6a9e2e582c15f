import { messageOf, report } from "../engines/problems.js";
import { droppedChannel } from "./channels.js";
import { whyInvalid } from "./check-event.js";
import { allWorkspacesMessageOf, type EventMessage, messagesOf } from "./event-message.js";
import type { OnEventProblem, ServerEvent } from "./events.js";

/** A batch that will never be taken, whereas other failures are those of the connection. */
export class BatchRefused extends Error {}

export interface PublicationQueueOptions {
  maxQueuedMessages: number;
  /** True for an engine without wildcards: events of workspaces also go on the channel of all owners. */
  tellsAllWorkspaces: boolean;
  /**
   * Publishes messages in their order.
   * @throws BatchRefused when they are not to be sent again; anything else when they are, on the next connection.
   */
  send(batch: readonly EventMessage[]): Promise<void>;
  onProblem: OnEventProblem | undefined;
}

const maxBatchMessages = 512;

/**
 * What waits to be published. Messages of one turn of the event loop, and those that come while a batch is under way,
 * leave together. One batch is under way at a time: so the order is kept. S6.3.
 */
export class PublicationQueue {
  readonly #options: PublicationQueueOptions;
  #waiting: EventMessage[] = [];
  /** A connection is there. */
  #isOpen = false;
  #isScheduled = false;
  #isSending = false;
  #isClosed = false;
  /** Events that were dropped and that subscribers have not been told of. */
  #dropped = 0;
  #onEmpty: (() => void) | undefined;

  constructor(options: PublicationQueueOptions) {
    this.#options = options;
  }

  /** Takes an event, or drops it and tells the hook. */
  add(event: ServerEvent): void {
    if (this.#isClosed) return;
    const why = whyInvalid(event);
    if (why !== undefined) {
      report(this.#options.onProblem, new TypeError(`An event was not published: ${why}.`));
      return;
    }
    const messages = messagesOf(event);
    const forAll = this.#options.tellsAllWorkspaces ? allWorkspacesMessageOf(event) : undefined;
    if (forAll !== undefined) messages.push(forAll);
    if (this.#waiting.length + messages.length > this.#options.maxQueuedMessages) {
      this.#drop();
      return;
    }
    for (const message of messages) this.#waiting.push(message);
    this.#schedule();
  }

  /** A connection is there: what waits goes out. */
  open(): void {
    this.#isOpen = true;
    this.#schedule();
  }

  /** The connection is lost: everything waits. */
  pause(): void {
    this.#isOpen = false;
  }

  /** Takes no more, and resolves when what waits is out; with a connection that is lost, at once. */
  async end(): Promise<void> {
    this.#isClosed = true;
    if (this.#isOpen && (this.#isSending || this.#waiting.length > 0)) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  #drop(): void {
    if (this.#dropped++ > 0) return;
    const { maxQueuedMessages } = this.#options;
    const text = `Events are dropped: ${maxQueuedMessages} messages wait to be published, and the connection is slow or lost.`;
    report(this.#options.onProblem, new Error(text));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isSending || !this.#isOpen) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isSending) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#isOpen && (this.#waiting.length > 0 || this.#dropped > 0)) await this.#sendBatch();
    this.#isSending = false;
    this.#onEmpty?.();
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#waiting.slice(0, maxBatchMessages);
    // what was dropped came after all that waited then: by the time this is heard, what it is about has happened
    const dropped = this.#dropped;
    const isLast = batch.length === this.#waiting.length;
    if (dropped > 0 && isLast) batch.push({ channel: droppedChannel, payload: "" });
    const taken = Math.min(this.#waiting.length, maxBatchMessages);
    try {
      await this.#options.send(batch);
    } catch (error) {
      if (!(error instanceof BatchRefused)) {
        this.#isOpen = false; // until the next connection; the batch stays where it is
        return;
      }
      this.#waiting.splice(0, taken);
      // when not even the word of it is taken, there is nobody to tell
      this.#dropped = taken === 0 ? 0 : this.#dropped + taken;
      report(this.#options.onProblem, new Error(`${taken} messages were not published: ${messageOf(error)}`));
      return;
    }
    this.#waiting.splice(0, taken);
    if (dropped === 0 || !isLast) return;
    this.#dropped -= dropped;
    report(this.#options.onProblem, new Error(`${dropped} events were dropped and not published.`));
  }
}
