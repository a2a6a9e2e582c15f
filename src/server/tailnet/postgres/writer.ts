import type { Client, QueryConfig, QueryResultRow } from "pg";
import { isRefusal, PostgresConnection } from "../../engines/postgres-connection.js";
import { within } from "../../engines/waits.js";
import type { ResolvedOptions } from "./options.js";
import { makeTables } from "./tables.js";

/** One connection that writes, one statement after the other. */
export class Writer {
  readonly #options: ResolvedOptions;
  readonly #connection: PostgresConnection;
  #isClosed = false;

  constructor(createClient: () => Client, options: ResolvedOptions) {
    this.#options = options;
    this.#connection = new PostgresConnection(
      {
        name: "tailnet peers",
        createClient,
        onOpen: (client) => this.#begin(client),
        onLost: () => {},
      },
      options,
    );
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#connection.close();
  }

  /** @throws Error when there is no connection, it does not answer, or the server refuses. */
  async query<Row extends QueryResultRow>(query: QueryConfig): Promise<Row[]> {
    const { client } = this.#connection;
    if (client === undefined) throw new Error("there is no connection to write");
    try {
      const { rows } = await within(client.query<Row>(query), this.#options.timeoutMs, "an answer");
      return rows;
    } catch (error) {
      if (!isRefusal(error)) this.#connection.lose(client, error);
      throw error;
    }
  }

  /**
   * Asks again on the next connection whenever one is lost, until it is answered or this is closed.
   * @throws Error when the server refuses.
   */
  async insist(query: QueryConfig): Promise<void> {
    while (!this.#isClosed) {
      await this.connected();
      try {
        await this.query(query);
        return;
      } catch (error) {
        if (isRefusal(error)) throw error;
      }
    }
  }

  /** Resolves when there is a connection, and at every {@link wake}. */
  connected(): Promise<void> {
    return this.#connection.settled();
  }

  /** Whoever waits for a connection looks again whether it has to. */
  wake(): void {
    this.#connection.wake();
  }

  async #begin(client: Client): Promise<void> {
    const answer = (query: Promise<unknown>) => within(query, this.#options.timeoutMs, "an answer");
    await answer(makeTables(client));
    // what is written need not survive a crash, so nothing is won by waiting for the disk
    await answer(client.query("set synchronous_commit to off"));
  }
}
