import type { MessagePort } from "node:worker_threads";
import type { Stored } from "./columns.js";

/** What the worker is started with. */
export interface WorkerSetup {
  /** Where the package `libsql` is. */
  libsqlPath: string;
  /** The database's file. */
  file: string;
}

/** A statement to run. */
interface StatementRequest {
  id: number;
  sql: string;
  parameters: readonly Stored[];
}

/** What became of it. The first answer of all has the id 0: the database is open, or why not. */
export type StatementAnswer =
  | { id: number; rows: unknown[]; changes: number }
  | { id: number; failure: { message: string; code: string } };

/**
 * What the database's thread does: statements, one after the other. It is sent to the thread as text, so that the
 * package needs no second entry: nothing outside of the function can be used in it.
 */
export function databaseThread(): void {
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { createRequire } = process.getBuiltinModule("node:module");
  const port = parentPort as MessagePort;
  const { libsqlPath, file } = workerData as WorkerSetup;
  const maxStatements = 300;

  type Parameter = string | number | bigint | Buffer | null;
  interface Statement {
    reader: boolean;
    safeIntegers(on: boolean): void;
    all(parameters: Parameter[]): unknown[];
    run(parameters: Parameter[]): { changes: number };
  }
  interface LibsqlDatabase {
    exec(sql: string): void;
    prepare(sql: string): Statement;
    close(): void;
  }

  const answer = (message: StatementAnswer) => port.postMessage(message);
  const refuse = (id: number, error: unknown) => {
    const { message = "unknown", code = "unknown" } = error as { message?: string; code?: string };
    answer({ id, failure: { message: String(message), code: String(code) } });
  };

  /** SQLite does not wait for another process that does the same with a new file. */
  const useWal = (opened: LibsqlDatabase) => {
    for (let tries = 1; ; tries++) {
      try {
        return opened.exec("pragma journal_mode = wal");
      } catch (error) {
        const isBusy = String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY");
        if (!isBusy || tries === 100) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      }
    }
  };

  const open = () => {
    const Libsql = createRequire(libsqlPath)(libsqlPath) as new (path: string) => LibsqlDatabase;
    const opened = new Libsql(file);
    opened.exec("pragma busy_timeout = 10000");
    useWal(opened);
    // each commit is on the disk before it is answered, so that it survives the loss of power
    opened.exec("pragma synchronous = full");
    opened.exec("pragma foreign_keys = on");
    return opened;
  };

  // libsql ends the whole process over a value that it does not know
  const toParameter = (value: unknown): Parameter => {
    if (value === null || value === undefined) return null;
    if (typeof value === "string") return value;
    if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return value;
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length);
    throw new TypeError(`a database does not keep a ${typeof value} such as this`);
  };

  const run = (database: LibsqlDatabase, statements: Map<string, Statement>, request: StatementRequest) => {
    const { id, sql, parameters } = request;
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statement.safeIntegers(true);
      if (statements.size >= maxStatements) statements.clear();
      statements.set(sql, statement);
    }
    const bound = parameters.map(toParameter);
    if (statement.reader) return answer({ id, rows: statement.all(bound), changes: 0 });
    answer({ id, rows: [], changes: Number(statement.run(bound).changes) });
  };

  let database: LibsqlDatabase;
  const statements = new Map<string, Statement>();
  try {
    database = open();
    answer({ id: 0, rows: [], changes: 0 });
  } catch (error) {
    refuse(0, error);
    return;
  }
  port.on("message", (message: StatementRequest | "close") => {
    if (message === "close") {
      statements.clear();
      database.close();
      port.close();
      return;
    }
    try {
      run(database, statements, message);
    } catch (error) {
      refuse(message.id, error);
    }
  });
}
