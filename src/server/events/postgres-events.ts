import { postgresClients } from "../engines/postgres-clients.js";
import { messageOf } from "../engines/problems.js";
import { type EngineOptions, resolveEngineOptions } from "./event-options.js";
import type { EventSubscriber, Events, EventTopic, ServerEvent } from "./events.js";
import { PostgresListener } from "./postgres-listener.js";
import { PostgresPublisher } from "./postgres-publisher.js";

/** How events over PostgreSQL are carried. */
export type PostgresEventsOptions = EngineOptions;

/**
 * Events of all processes that use one PostgreSQL database, over LISTEN and NOTIFY. Takes two connections; they must
 * not go through a pooler that hands out a connection for a transaction only. Needs the package `pg`.
 * @param url as `postgres://user:password@host:5432/database`.
 * @throws Error when `pg` is not installed, the URL cannot be read, or the first connection cannot be made.
 */
export async function openPostgresEvents(url: string, options: PostgresEventsOptions = {}): Promise<Events> {
  const resolved = resolveEngineOptions(options);
  const createClient = await postgresClients(url, {
    what: "Events over PostgreSQL",
    applicationName: "agentwire events",
    timeoutMs: resolved.timeoutMs,
  });
  const events = new PostgresEvents(
    new PostgresListener(createClient, resolved),
    new PostgresPublisher(createClient, resolved),
  );
  try {
    await events.open();
  } catch (error) {
    await events.close();
    throw new Error(`PostgreSQL cannot be used for events: ${messageOf(error)}`);
  }
  return events;
}

class PostgresEvents implements Events {
  readonly #listener: PostgresListener;
  readonly #publisher: PostgresPublisher;
  #closed: Promise<void> | undefined;

  constructor(listener: PostgresListener, publisher: PostgresPublisher) {
    this.#listener = listener;
    this.#publisher = publisher;
  }

  async open(): Promise<void> {
    await Promise.all([this.#listener.open(), this.#publisher.open()]);
  }

  publish(event: ServerEvent): void {
    this.#publisher.publish(event);
  }

  subscribe(topic: EventTopic, subscriber: EventSubscriber): Promise<() => void> {
    return this.#listener.subscribe(topic, subscriber);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([this.#publisher.close(), this.#listener.close()]);
  }
}
