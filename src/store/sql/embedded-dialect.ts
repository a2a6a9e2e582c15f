import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Stored } from "./columns.js";
import type { EmbeddedThread } from "./embedded-thread.js";

/** SQLite in a thread. It has one connection: transactions wait for each other, first come, first served. */
export function embeddedDialect(thread: EmbeddedThread): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new EmbeddedDriver(thread),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class EmbeddedDriver implements Driver {
  readonly #thread: EmbeddedThread;
  readonly #connection: EmbeddedConnection;
  // its length is bound by the store, which counts what is under way
  readonly #queue: (() => void)[] = [];
  #isTaken = false;

  constructor(thread: EmbeddedThread) {
    this.#thread = thread;
    this.#connection = new EmbeddedConnection(thread);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#isTaken) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#isTaken = true;
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    const next = this.#queue.shift();
    // handed on while it is still taken, so that nobody comes in between
    if (next === undefined) this.#isTaken = false;
    else next();
  }

  async beginTransaction(): Promise<void> {
    // `immediate`: a transaction that reads first could not become one that writes beside another process
    await this.#thread.run("begin immediate", []);
  }

  async commitTransaction(): Promise<void> {
    await this.#thread.run("commit", []);
  }

  async rollbackTransaction(): Promise<void> {
    try {
      await this.#thread.run("rollback", []);
    } catch (error) {
      // a full disk, for one, has ended it already; what failed first says why
      if (!String(error).includes("no transaction is active")) throw error;
    }
  }

  async destroy(): Promise<void> {
    await this.#thread.close();
  }
}

class EmbeddedConnection implements DatabaseConnection {
  readonly #thread: EmbeddedThread;

  constructor(thread: EmbeddedThread) {
    this.#thread = thread;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#thread.run(sql, parameters as readonly Stored[]);
    return { rows: rows as R[], numAffectedRows: BigInt(changes) };
  }

  // biome-ignore lint/correctness/useYield: nothing of the store streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("the embedded database does not stream rows");
  }
}
