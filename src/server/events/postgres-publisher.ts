import type { Client } from "pg";
import { isRefusal, PostgresConnection } from "../engines/postgres-connection.js";
import { messageOf } from "../engines/problems.js";
import { within } from "../engines/waits.js";
import type { EventMessage } from "./event-message.js";
import type { ResolvedEngineOptions } from "./event-options.js";
import type { ServerEvent } from "./events.js";
import { BatchRefused, PublicationQueue } from "./publication-queue.js";

/** One statement for any number of messages, so that the server parses it once; it notifies in the order given. */
const notify = {
  name: "agentwire_notify",
  text: "select count(pg_notify(channel, payload)) from unnest($1::text[], $2::text[]) as m(channel, payload)",
};

/**
 * One connection that publishes. More of them would not be faster: notifications are committed one transaction after
 * the other in the whole database, so that it is the messages in one transaction that count.
 */
export class PostgresPublisher {
  readonly #connection: PostgresConnection;
  readonly #options: ResolvedEngineOptions;
  readonly #queue: PublicationQueue;

  constructor(createClient: () => Client, options: ResolvedEngineOptions) {
    this.#options = options;
    this.#queue = new PublicationQueue({
      maxQueuedMessages: options.maxQueuedMessages,
      tellsAllWorkspaces: true,
      onProblem: options.onProblem,
      send: (batch) => this.#send(batch),
    });
    this.#connection = new PostgresConnection(
      {
        name: "publishing",
        createClient,
        onOpen: (client) => this.#begin(client),
        onLost: () => this.#queue.pause(),
      },
      options,
    );
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  publish(event: ServerEvent): void {
    this.#queue.add(event);
  }

  async close(): Promise<void> {
    try {
      await within(this.#queue.end(), this.#options.timeoutMs, "the last events");
    } catch {
      // they are hints, and the server does not answer
    }
    await this.#connection.close();
  }

  async #begin(client: Client): Promise<void> {
    // a notification is not kept, so nothing is won by waiting for the disk
    const query = client.query("set synchronous_commit to off");
    await within(query, this.#options.timeoutMs, "an answer");
    // by then the connection is open
    setImmediate(() => {
      if (this.#connection.client === client) this.#queue.open();
    });
  }

  async #send(batch: readonly EventMessage[]): Promise<void> {
    const client = this.#connection.client;
    if (client === undefined) throw new Error("there is no connection");
    const channels = batch.map(({ channel }) => channel);
    const payloads = batch.map(({ payload }) => payload);
    const query = client.query({ ...notify, values: [channels, payloads] });
    try {
      await within(query, this.#options.timeoutMs, "an answer");
    } catch (error) {
      if (isRefusal(error)) throw new BatchRefused(messageOf(error));
      this.#connection.lose(client, error);
      throw error;
    }
  }
}
