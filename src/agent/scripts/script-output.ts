import { LineSplitter, LogLevel, type LogLine, type LogSender } from "../../client/index-node.js";
import { TimeLimit } from "../../client/time-limit.js";
import type { LogFile } from "./log-file.js";

const defaultMaxHoldMs = 10_000;

/** Where a script's output goes. */
export interface ScriptOutputOptions {
  logs: LogSender;
  sourceId: Uint8Array;
  file: LogFile;
  /** Ends waiting. */
  signal: AbortSignal;
  /** So long a script is held back by a control plane that takes no logs; 10,000 by default. */
  maxHoldMs?: number | undefined;
}

/**
 * The output of one script: lines to the control plane, bytes to a file. C4.67. A script is held back while too much
 * is queued, but not for ever: a control plane that is away drops its lines, counted, and does not stop its work.
 */
export class ScriptOutput {
  readonly #options: ScriptOutputOptions;
  readonly #out = new LineSplitter();
  readonly #err = new LineSplitter();
  /** The last wait was in vain: until there is room again, what finds none is dropped. */
  #isDropping = false;

  constructor(options: ScriptOutputOptions) {
    this.#options = options;
  }

  readonly onStdout = (chunk: Buffer) => this.#take(chunk, this.#out, LogLevel.INFO);

  readonly onStderr = (chunk: Buffer) => this.#take(chunk, this.#err, LogLevel.ERROR);

  /** Sends what has no newline. */
  async end(): Promise<void> {
    await this.#send(this.#out.end(), LogLevel.INFO);
    await this.#send(this.#err.end(), LogLevel.ERROR);
    this.#options.logs.flush(this.#options.sourceId);
  }

  async #take(chunk: Buffer, splitter: LineSplitter, level: LogLevel): Promise<void> {
    const lines = splitter.push(chunk);
    await this.#options.file.write(chunk);
    await this.#send(lines, level);
  }

  async #send(texts: readonly string[], level: LogLevel): Promise<void> {
    if (texts.length === 0) return;
    const { logs, sourceId, signal, maxHoldMs = defaultMaxHoldMs } = this.#options;
    const lines = texts.map((output): LogLine => ({ output, level, createdAt: new Date() }));
    if (this.#isDropping) {
      this.#isDropping = logs.enqueue(sourceId, lines) < lines.length;
      return;
    }
    const hold = new TimeLimit(maxHoldMs, signal, "the control plane takes no logs");
    let sent = 0;
    try {
      for (; sent < lines.length; sent++) await logs.send(sourceId, lines.slice(sent, sent + 1), hold.signal);
    } catch (error) {
      if (!hold.signal.aborted) throw error;
      this.#isDropping = true;
      logs.enqueue(sourceId, lines.slice(sent));
    } finally {
      hold.release();
    }
  }
}
