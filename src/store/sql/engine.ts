import type { Dialect, Kysely } from "kysely";
import type { Tables } from "./tables.js";

/** What queries run on: the database, or a transaction of it. */
export type Queries = Kysely<Tables>;

/** How a database calls the types that have no common name. */
export interface SqlTypes {
  /** Text that is compared by its bytes. */
  text: string;
  bytes: string;
  /** A primary key that grows with each row. */
  counter: string;
}

/** What stands for a change that only one server may make at a time. */
export type LockName = "migrations" | "definitions" | "connections";

/** Why a statement failed, in the words of no database. */
export type Failure =
  /** What a row belongs to is not there. */
  | { kind: "orphan" }
  /** A unique index has the row already. */
  | { kind: "twin"; index: string }
  /** Two transactions were in each other's way: the next try may do. */
  | { kind: "collision" }
  | { kind: "other"; code: string };

/** What differs between databases. */
export interface Engine {
  /** Connects when the first statement is run. */
  dialect: Dialect;
  types: SqlTypes;
  /** Whether several servers write at the same time, so that rows that are to be changed are locked. */
  hasRowLocks: boolean;
  /** Waits until no other transaction has the lock; it ends with the transaction. */
  lock(transaction: Queries, name: LockName): Promise<void>;
  failureOf(error: unknown): Failure;
}
