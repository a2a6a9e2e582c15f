import type { Client } from "pg";
import { PostgresConnection } from "../engines/postgres-connection.js";
import { messageOf, report } from "../engines/problems.js";
import { within } from "../engines/waits.js";
import { channelOf, droppedChannel } from "./channels.js";
import { checkTopic } from "./check-event.js";
import { eventOf } from "./event-message.js";
import type { ResolvedEngineOptions } from "./event-options.js";
import type { EventSubscriber, EventTopic } from "./events.js";
import { closedError, Subscribers } from "./subscribers.js";

/** Channels that are begun and ended in one statement. */
const maxChannelsAtOnce = 500;

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** One connection that listens for all subscribers: a channel is LISTENed to from its first to its last. */
export class PostgresListener {
  readonly #connection: PostgresConnection;
  readonly #options: ResolvedEngineOptions;
  readonly #subscribers = new Subscribers();
  /** What the connection listens to. */
  #listening = new Set<string>();
  /** Channels that may have got their first subscriber or lost their last. */
  #changed = new Set<string>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  #heartbeat: NodeJS.Timeout | undefined;
  #isHeartbeatDue = false;
  #isTalking = false;
  #hasBeenOpen = false;
  #isClosed = false;

  constructor(createClient: () => Client, options: ResolvedEngineOptions) {
    this.#options = options;
    this.#connection = new PostgresConnection(
      {
        name: "subscriptions",
        createClient,
        onOpen: (client) => this.#begin(client),
        onLost: () => this.#listening.clear(),
      },
      options,
    );
  }

  async open(): Promise<void> {
    await this.#connection.open();
    this.#heartbeat = setInterval(() => {
      this.#isHeartbeatDue = true;
      void this.#talk();
    }, this.#options.heartbeatMs);
    this.#heartbeat.unref();
  }

  async subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    if (this.#isClosed) throw closedError();
    checkTopic(topic);
    const channel = channelOf(topic);
    const remove = this.#subscribers.add(channel, subscriber);
    const end = () => {
      if (remove()) this.#change(channel);
    };
    if (this.#listening.has(channel)) return end;
    this.#change(channel);
    try {
      await this.#untilListening(channel);
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    this.#subscribers.clear();
    for (const waiting of this.#waiting.values()) for (const { reject } of waiting) reject(closedError());
    this.#waiting.clear();
    await this.#connection.close();
  }

  async #untilListening(channel: string): Promise<void> {
    const { timeoutMs } = this.#options;
    const waiting = this.#waiting.get(channel) ?? new Set();
    this.#waiting.set(channel, waiting);
    let own: Waiting | undefined;
    const listening = new Promise<void>((resolve, reject) => {
      own = { resolve, reject };
      waiting.add(own);
    });
    try {
      await within(listening, timeoutMs, `PostgreSQL does not answer: LISTEN on ${channel}`);
    } finally {
      if (own !== undefined) waiting.delete(own);
      if (waiting.size === 0 && this.#waiting.get(channel) === waiting) this.#waiting.delete(channel);
    }
  }

  /** A connection is new: everything is listened to again, and what was missed meanwhile is not known. S6.4. */
  async #begin(client: Client): Promise<void> {
    client.on("notification", ({ channel, payload }) => this.#hear(channel, payload ?? ""));
    this.#listening = new Set();
    this.#changed = new Set([droppedChannel, ...this.#subscribers.channels]);
    await this.#listen(client);
    if (this.#hasBeenOpen) this.#subscribers.tellDropped();
    this.#hasBeenOpen = true;
    // for what has changed since
    setImmediate(() => void this.#talk());
  }

  #change(channel: string): void {
    this.#changed.add(channel);
    // all of one tick go together
    queueMicrotask(() => void this.#talk());
  }

  /** Says to the server what has changed; one statement at a time. */
  async #talk(): Promise<void> {
    const client = this.#connection.client;
    if (client === undefined || this.#isTalking) return;
    this.#isTalking = true;
    try {
      await this.#listen(client);
      if (this.#isHeartbeatDue) {
        this.#isHeartbeatDue = false;
        await within(client.query("select 1"), this.#options.timeoutMs, "an answer");
        await this.#listen(client);
      }
    } catch (error) {
      this.#connection.lose(client, error);
    } finally {
      this.#isTalking = false;
    }
    // what has changed on a connection that came meanwhile
    if (this.#connection.client !== client) void this.#talk();
  }

  async #listen(client: Client): Promise<void> {
    while (this.#changed.size > 0) {
      const channels = [...this.#changed].slice(0, maxChannelsAtOnce);
      const begun: string[] = [];
      const statements: string[] = [];
      for (const channel of channels) {
        this.#changed.delete(channel);
        const isWanted = channel === droppedChannel || this.#subscribers.has(channel);
        if (isWanted) begun.push(channel);
        if (isWanted === this.#listening.has(channel)) continue;
        if (!isWanted) this.#listening.delete(channel);
        statements.push(`${isWanted ? "LISTEN" : "UNLISTEN"} ${client.escapeIdentifier(channel)}`);
      }
      if (statements.length > 0) {
        await within(client.query(statements.join(";")), this.#options.timeoutMs, "an answer");
      }
      for (const channel of begun) this.#listens(channel);
    }
  }

  #listens(channel: string): void {
    this.#listening.add(channel);
    for (const { resolve } of this.#waiting.get(channel) ?? []) resolve();
  }

  #hear(channel: string, payload: string): void {
    if (channel === droppedChannel) {
      this.#subscribers.tellDropped();
      return;
    }
    if (!this.#subscribers.has(channel)) return;
    try {
      this.#subscribers.tell(channel, eventOf({ channel, payload }));
    } catch (error) {
      report(this.#options.onProblem, new Error(messageOf(error)));
      this.#subscribers.tellDropped(channel);
    }
  }
}
