import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Stored } from "./columns.js";
import { databaseThread, type StatementAnswer, type WorkerSetup } from "./embedded-worker.js";

/** What the embedded database says when a statement fails; `code` is SQLite's. */
export class EmbeddedError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = "EmbeddedError";
    this.code = code;
  }
}

interface Waiting {
  resolve(answer: { rows: unknown[]; changes: number }): void;
  reject(error: Error): void;
}

const closeTimeoutMs = 10_000;

/** The embedded database, in a thread of its own: while it waits for the disk, the server goes on. */
export class EmbeddedThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #ended: Error | undefined;

  /** @throws EmbeddedError when the file cannot be opened, or is no database. */
  static async open(setup: WorkerSetup): Promise<EmbeddedThread> {
    const thread = new EmbeddedThread(setup);
    await thread.#answerTo(0);
    return thread;
  }

  private constructor(setup: WorkerSetup) {
    // tools that keep the names of functions call __name in the text that they make
    const code = `const __name = (value) => value; (${databaseThread.toString()})();`;
    this.#worker = new Worker(code, { eval: true, workerData: setup, name: "agentwire-database" });
    this.#worker.on("message", (answer: StatementAnswer) => this.#settle(answer));
    this.#worker.on("error", (error) =>
      this.#end(new Error("the database's thread has failed", { cause: error })),
    );
    this.#worker.on("exit", () => this.#end(new Error("the database's thread has ended")));
  }

  /** Runs a statement. @throws EmbeddedError when it fails. */
  run(sql: string, parameters: readonly Stored[]): Promise<{ rows: unknown[]; changes: number }> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const answer = this.#answerTo(id);
    this.#worker.postMessage({ id, sql, parameters });
    return answer;
  }

  /** Statements that are under way are finished. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    this.#worker.ref();
    const timer = setTimeout(() => void this.#worker.terminate(), closeTimeoutMs);
    const exited = once(this.#worker, "exit");
    this.#worker.postMessage("close");
    await exited;
    clearTimeout(timer);
  }

  #answerTo(id: number): Promise<{ rows: unknown[]; changes: number }> {
    // an open store alone keeps no process running
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #settle(answer: StatementAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ("failure" in answer) waiting?.reject(new EmbeddedError(answer.failure.message, answer.failure.code));
    else waiting?.resolve(answer);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
