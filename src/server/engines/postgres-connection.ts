import type { Client } from "pg";
import { WaitingLine } from "../../transport/waiting-line.js";
import { messageOf, type OnProblem, report } from "./problems.js";
import { backoffMs, within } from "./waits.js";

/** What a connection is for. */
export interface ConnectionUse {
  /** What it is called in errors. */
  name: string;
  /** Makes a client that is not connected yet. */
  createClient(): Client;
  /** A connection is there; it counts as open when this resolves, and is made again when it rejects. */
  onOpen(client: Client): Promise<void>;
  onLost(): void;
}

/** How a connection is made again. */
export interface ConnectionOptions {
  /** The longest pause between two attempts, in milliseconds. */
  maxBackoffMs: number;
  /** Told of each loss, and of each attempt that fails. */
  onProblem: OnProblem | undefined;
}

const closeTimeoutMs = 2000;

/** One connection to PostgreSQL that is made again, with a pause that grows, whenever it is lost. */
export class PostgresConnection {
  readonly #use: ConnectionUse;
  readonly #options: ConnectionOptions;
  #client: Client | undefined;
  /** The one that is being made. */
  #next: Client | undefined;
  #attempt = 0;
  #pause: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #waiting = new WaitingLine<void>();

  constructor(use: ConnectionUse, options: ConnectionOptions) {
    this.#use = use;
    this.#options = options;
  }

  /** The open connection; undefined while there is none. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** Makes the first connection. @throws when it cannot be made; there is no further attempt then. */
  async open(): Promise<void> {
    const client = this.#use.createClient();
    let whyGone: Error | undefined;
    const onGone = (error: Error) => {
      whyGone ??= error;
      this.lose(client, error);
    };
    // stays for the life of the client: an error without a listener would end the process
    client.on("error", onGone);
    client.once("end", () => onGone(new Error("the server closed it")));
    this.#next = client;
    try {
      await client.connect();
      await this.#use.onOpen(client);
      if (whyGone !== undefined) throw whyGone;
      if (this.#isClosed) throw new Error("it is closed");
    } catch (error) {
      destroy(client);
      throw error;
    } finally {
      this.#next = undefined;
    }
    this.#client = client;
    this.#attempt = 0;
    this.wake();
  }

  /** Resolves when it is open or closed, and at every {@link wake}. */
  async settled(): Promise<void> {
    if (this.#client !== undefined || this.#isClosed) return;
    await this.#waiting.wait();
  }

  /** Whoever waits for it to open looks again whether it has to. */
  wake(): void {
    this.#waiting.serveAll();
  }

  /** Gives up a client that is of no use any more, and makes another. */
  lose(client: Client, error: unknown): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    destroy(client);
    if (this.#isClosed) return;
    this.#report("was lost", error);
    this.#use.onLost();
    this.#openAgain();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.wake();
    clearTimeout(this.#pause);
    if (this.#next !== undefined) destroy(this.#next);
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    try {
      await within(client.end(), closeTimeoutMs, "the end of the connection");
    } catch {
      destroy(client);
    }
  }

  #openAgain(): void {
    const pauseMs = backoffMs(this.#attempt++, this.#options.maxBackoffMs);
    this.#pause = setTimeout(async () => {
      try {
        await this.open();
      } catch (error) {
        if (this.#isClosed) return;
        this.#report("could not be made again", error);
        this.#openAgain();
      }
    }, pauseMs);
  }

  #report(what: string, error: unknown): void {
    const text = `The connection to PostgreSQL for ${this.#use.name} ${what}: ${messageOf(error)}`;
    report(this.#options.onProblem, new Error(text));
  }
}

/** True when the server has said no, and stays: not when it ends the connection, shuts down or starts. */
export function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^(?!08|57P)[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
}

function destroy(client: Client): void {
  client.connection.stream.destroy();
}
