import { CamelCasePlugin, Kysely } from "kysely";
import { StoreConflict } from "../store.js";
import type { Engine, LockName, Queries } from "./engine.js";
import type { Tables } from "./tables.js";

/** A transaction that collides with another is tried so many times. S3.113. */
const maxTries = 5;
/** More than so many calls at a time are refused. */
const maxCalls = 10_000;

/** The database, and what all queries have in common: errors, transactions, an end. */
export class Database {
  readonly engine: Engine;
  readonly #kysely: Kysely<Tables>;
  readonly #calls = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(engine: Engine) {
    this.engine = engine;
    this.#kysely = new Kysely<Tables>({ dialect: engine.dialect, plugins: [new CamelCasePlugin()] });
  }

  /**
   * Runs queries, each for itself.
   * @param what is done, in the words of an error: `read an agent`.
   * @throws StoreConflict as `work` does. Other errors have a short text, and the database's as their cause.
   */
  run<T>(what: string, work: (db: Queries) => Promise<T>): Promise<T> {
    return this.#call(what, () => work(this.#kysely));
  }

  /** Runs queries of which all happen, or none. A collision with another transaction starts it again. */
  transaction<T>(what: string, work: (transaction: Queries) => Promise<T>, lock?: LockName): Promise<T> {
    return this.#call(what, async () => {
      for (let tries = 1; ; tries++) {
        try {
          return await this.#kysely.transaction().execute(async (transaction) => {
            if (lock !== undefined) await this.engine.lock(transaction, lock);
            return await work(transaction);
          });
        } catch (error) {
          if (tries >= maxTries || this.engine.failureOf(error).kind !== "collision") throw error;
        }
      }
    });
  }

  /** What a write gives, or undefined when what it belongs to is not there. */
  async ifThere<T>(write: () => Promise<T>): Promise<T | undefined> {
    try {
      return await write();
    } catch (error) {
      if (this.engine.failureOf(error).kind === "orphan") return undefined;
      throw error;
    }
  }

  /** What a write gives. @throws StoreConflict with the text, when a unique index has the row already. */
  async unlessTwin<T>(index: string, conflict: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      const failure = this.engine.failureOf(error);
      if (failure.kind === "twin" && failure.index === index) throw new StoreConflict(conflict);
      throw error;
    }
  }

  /** Calls that are under way are finished; later ones fail. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#calls);
    await this.#kysely.destroy();
  }

  async #call<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Error("the store is closed");
    if (this.#calls.size >= maxCalls) {
      throw new Error(`the database could not ${what}: ${maxCalls} calls are waiting for it already`);
    }
    const call = work();
    this.#calls.add(call);
    try {
      return await call;
    } catch (error) {
      if (error instanceof StoreConflict) throw error;
      const failure = this.engine.failureOf(error);
      const code = failure.kind === "other" ? failure.code : failure.kind;
      throw new Error(`the database could not ${what} (${code})`, { cause: error });
    } finally {
      this.#calls.delete(call);
    }
  }
}
