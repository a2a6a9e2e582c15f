import type {
  Msg,
  NatsConnection,
  NodeConnectionOptions,
  Status,
  Subscription,
} from "@nats-io/transport-node";
import { loadOptional } from "../engines/optional-package.js";
import { messageOf, report } from "../engines/problems.js";
import { backoffMs, within } from "../engines/waits.js";
import { channelOf, channelOfSubject, droppedChannel, subjectOf } from "./channels.js";
import { checkTopic } from "./check-event.js";
import { type EventMessage, eventOf } from "./event-message.js";
import { type EngineOptions, type ResolvedEngineOptions, resolveEngineOptions } from "./event-options.js";
import type { EventSubscriber, Events, EventTopic, ServerEvent } from "./events.js";
import { natsServersOf } from "./nats-url.js";
import { BatchRefused, PublicationQueue } from "./publication-queue.js";
import { closedError, Subscribers } from "./subscribers.js";

/** How events over NATS are carried. */
export interface NatsEventsOptions extends EngineOptions {
  /** What all subjects begin with; `agentwire` by default. Control planes that share a server each need their own. */
  subjectPrefix?: string;
}

const closeTimeoutMs = 2000;

/**
 * Events of all processes that use one NATS server or cluster. Needs the package `@nats-io/transport-node`.
 * @param url as `nats://user:password@host:4222`, or `tls://…`; several servers of a cluster with commas between.
 * @throws Error when the package is not installed, the URL cannot be read, or the first connection cannot be made.
 */
export async function openNatsEvents(url: string, options: NatsEventsOptions = {}): Promise<Events> {
  const resolved = resolveEngineOptions(options);
  const prefix = options.subjectPrefix ?? "agentwire";
  if (!/^[\w-]+(\.[\w-]+)*$/.test(prefix)) {
    throw new RangeError("subjectPrefix must be words with dots between, of letters, digits, _ and -.");
  }
  const servers = natsServersOf(url);
  const nats = await loadOptional(
    "Events over NATS",
    "@nats-io/transport-node",
    () => import("@nats-io/transport-node"),
  );
  const pause = new ReconnectPause(resolved.maxBackoffMs);
  let connection: NatsConnection;
  try {
    connection = await nats.connect({ ...servers, ...connectionOptions(resolved, pause) });
  } catch (error) {
    throw new Error(`NATS cannot be used for events: ${messageOf(error)}`);
  }
  const events = new NatsEvents(connection, prefix, pause, resolved);
  try {
    await events.begin();
  } catch (error) {
    await events.close();
    throw new Error(`NATS cannot be used for events: ${messageOf(error)}`);
  }
  return events;
}

function connectionOptions(options: ResolvedEngineOptions, pause: ReconnectPause): NodeConnectionOptions {
  return {
    name: "agentwire events",
    timeout: options.timeoutMs,
    pingInterval: options.heartbeatMs,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => pause.ms,
    noAsyncTraces: true,
  };
}

/** The pause before an attempt to connect again: the package asks for it several times per attempt. */
class ReconnectPause {
  readonly #maxMs: number;
  #attempt = 0;
  ms: number;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
    this.ms = backoffMs(0, maxMs);
  }

  next(): void {
    this.ms = backoffMs(++this.#attempt, this.#maxMs);
  }

  reset(): void {
    this.#attempt = 0;
    this.ms = backoffMs(0, this.#maxMs);
  }
}

interface SubjectSubscription {
  subscription: Subscription;
  /** The server knows of it. */
  ready: Promise<void>;
  /** Why the server does not want it. */
  refused: Error | undefined;
}

class NatsEvents implements Events {
  readonly #connection: NatsConnection;
  readonly #prefix: string;
  readonly #pause: ReconnectPause;
  readonly #options: ResolvedEngineOptions;
  readonly #queue: PublicationQueue;
  /** By the subject that was subscribed to, which may have a wildcard. */
  readonly #subscribers = new Subscribers();
  readonly #subjects = new Map<string, SubjectSubscription>();
  #isConnected = true;
  #onReconnected = new Set<() => void>();
  #closed: Promise<void> | undefined;

  constructor(
    connection: NatsConnection,
    prefix: string,
    pause: ReconnectPause,
    options: ResolvedEngineOptions,
  ) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#pause = pause;
    this.#options = options;
    this.#queue = new PublicationQueue({
      maxQueuedMessages: options.maxQueuedMessages,
      tellsAllWorkspaces: false,
      onProblem: options.onProblem,
      send: (batch) => this.#send(batch),
    });
  }

  async begin(): Promise<void> {
    void this.#watch();
    this.#connection.subscribe(this.#subject(droppedChannel), {
      callback: () => this.#subscribers.tellDropped(),
    });
    await within(this.#connection.flush(), this.#options.timeoutMs, "an answer");
    this.#queue.open();
  }

  publish(event: ServerEvent): void {
    this.#queue.add(event);
  }

  async subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    if (this.#closed !== undefined) throw closedError();
    checkTopic(topic);
    const subject =
      topic.of === "workspaces"
        ? this.#subject(channelOf({ of: "owner", ownerId: "*" }))
        : this.#subject(channelOf(topic));
    const remove = this.#subscribers.add(subject, subscriber);
    const end = () => {
      if (remove()) this.#unsubscribe(subject);
    };
    const { ready } = this.#subjects.get(subject) ?? this.#subscribe(subject);
    try {
      await within(ready, this.#options.timeoutMs, `NATS does not answer: the subscription to ${subject}`);
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#subscribers.clear();
    try {
      await within(this.#queue.end(), this.#options.timeoutMs, "the last events");
      await within(this.#connection.drain(), closeTimeoutMs, "the end of the connection");
    } catch {
      await this.#connection.close();
    }
    this.#tellReconnected();
  }

  #subject(channel: string): string {
    return `${this.#prefix}.${subjectOf(channel)}`;
  }

  #subscribe(subject: string): SubjectSubscription {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) this.#hear(subject, message);
        else this.#refuse(subject, error);
      },
    });
    const made: SubjectSubscription = { subscription, ready: Promise.resolve(), refused: undefined };
    made.ready = this.#untilKnown().then(() => {
      if (made.refused !== undefined) throw made.refused;
    });
    // whoever waits is told; when nobody does any more, nobody need be
    made.ready.catch(() => {});
    this.#subjects.set(subject, made);
    return made;
  }

  #unsubscribe(subject: string): void {
    const made = this.#subjects.get(subject);
    this.#subjects.delete(subject);
    if (made !== undefined && !this.#connection.isClosed()) made.subscription.unsubscribe();
  }

  #refuse(subject: string, error: Error): void {
    const made = this.#subjects.get(subject);
    if (made === undefined) return;
    made.refused = new Error(`NATS refuses the subscription to ${subject}: ${messageOf(error)}`);
    this.#subjects.delete(subject);
    report(this.#options.onProblem, made.refused);
    this.#subscribers.tellDropped(subject);
  }

  /** Until the server has heard all that was said so far, on this connection or on a next one. */
  async #untilKnown(): Promise<void> {
    for (;;) {
      try {
        return await this.#connection.flush();
      } catch (error) {
        if (this.#closed !== undefined || this.#connection.isClosed()) throw closedError();
        report(this.#options.onProblem, new Error(`A subscription waits for NATS: ${messageOf(error)}`));
        await new Promise<void>((resolve) => this.#onReconnected.add(resolve));
      }
    }
  }

  #hear(subject: string, message: Msg): void {
    const channel = channelOfSubject(message.subject.slice(this.#prefix.length + 1));
    try {
      this.#subscribers.tell(subject, eventOf({ channel, payload: message.string() }));
    } catch (error) {
      report(this.#options.onProblem, new Error(messageOf(error)));
      this.#subscribers.tellDropped(subject);
    }
  }

  async #send(batch: readonly EventMessage[]): Promise<void> {
    try {
      for (const { channel, payload } of batch) this.#connection.publish(this.#subject(channel), payload);
    } catch (error) {
      // it is too large for this server
      if (!this.#connection.isClosed()) throw new BatchRefused(messageOf(error));
      throw error;
    }
    try {
      await within(this.#connection.flush(), this.#options.timeoutMs, "an answer");
    } catch (error) {
      // unless it is lost already: a connection without answers is of no use
      if (this.#isConnected) this.#giveUpConnection();
      throw error;
    }
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) this.#onStatus(status);
    if (this.#closed !== undefined) return;
    this.#queue.pause();
    report(this.#options.onProblem, new Error("The connection to NATS is closed, and is not made again."));
    this.#subscribers.tellDropped();
  }

  #onStatus(status: Status): void {
    switch (status.type) {
      case "disconnect":
        if (!this.#isConnected || this.#closed !== undefined) return;
        this.#isConnected = false;
        this.#queue.pause();
        report(this.#options.onProblem, new Error(`The connection to NATS at ${status.server} was lost.`));
        return;
      case "reconnecting":
        this.#pause.next();
        return;
      case "reconnect":
        this.#pause.reset();
        void this.#goOn();
        return;
      case "slowConsumer":
        this.#subscribers.tellDropped();
        return;
      case "error":
        report(this.#options.onProblem, new Error(`NATS says: ${messageOf(status.error)}`));
        return;
    }
  }

  /** All subscriptions are there again; what was missed meanwhile is not known. S6.4. */
  async #goOn(): Promise<void> {
    if (this.#isConnected) return;
    try {
      await within(this.#connection.flush(), this.#options.timeoutMs, "an answer");
    } catch {
      // it is lost again, or of no use: another follows
      this.#giveUpConnection();
      return;
    }
    this.#isConnected = true;
    this.#tellReconnected();
    this.#subscribers.tellDropped();
    this.#queue.open();
  }

  #giveUpConnection(): void {
    // fails when it is being closed: then nothing is to be done
    this.#connection.reconnect().catch(() => {});
  }

  #tellReconnected(): void {
    for (const resolve of this.#onReconnected) resolve();
    this.#onReconnected.clear();
  }
}
