import { type DropCounts, Drops } from "../../client/senders/drops.js";
import { errorText } from "../../rpc/error-text.js";
import { FrameWriter } from "./frame-writer.js";
import {
  type BoundaryLogEntry,
  frameLength,
  logsFrame,
  maxLogBytes,
  type NumberedLog,
  numberedLog,
  statusFrame,
} from "./log-frames.js";
import { type BoundaryLogNumber, LogNumbers } from "./log-numbers.js";
import { boundaryLogSocketPath, checkSocketPath } from "./socket-path.js";

/** How a boundary log client is made. */
export interface BoundaryLogClientOptions {
  /** The agent's socket; {@link boundaryLogSocketPath} by default. It need not be there yet. */
  path?: string;
  /** So many logs are sent together, 10 by default. C6.21. */
  maxBatchLogs?: number;
  /** So many more may wait, 20 by default. C6.20. */
  maxQueuedLogs?: number;
  /** A batch that is not full is sent so long after its first log; 5,000 by default. C6.21. */
  flushIntervalMs?: number;
  /** After a failure the next attempt comes so much later, 5,000 by default; earlier when another log comes. C6.21. */
  retryMs?: number;
  /** The longest time to connect, and for a frame to leave; 5,000 by default. */
  writeTimeoutMs?: number;
  /** Told in a sentence why logs do not arrive, once each time that this begins. */
  onWarning?(text: string): void;
}

/** Sends logs of a program that confines others to the agent beside it. */
export interface BoundaryLogClient extends AsyncDisposable {
  /** The agent's socket. */
  readonly path: string;
  /**
   * Session and sequence number that the next log will have. The session, a UUID, is one for the life of the client.
   * Every log takes a number, a dropped one too, so that a gap shows what was lost. C6.23.
   */
  readonly next: BoundaryLogNumber;
  /** Logs that are accepted and not sent. */
  readonly pending: number;
  /**
   * Logs that were given up: `channel_full` (too many at once), `batch_full` (nothing could be sent), `too_large` (fits
   * in no frame), `closed` (came after `close`, or could not be sent by then).
   */
  readonly dropped: DropCounts;

  /**
   * Queues a log; nothing is waited for.
   * @returns false when it is dropped.
   * @throws RangeError when the time is no time.
   */
  log(entry: BoundaryLogEntry): boolean;

  /**
   * Sends what waits, once, and ends the connection. What cannot be sent is counted. C6.24.
   * @param options.timeoutMs the longest time for all of it; 5,000 by default.
   */
  close(options?: { timeoutMs?: number }): Promise<void>;
}

/**
 * Makes a client that sends boundary logs to an agent's socket, in batches. A socket that is not there, or not any
 * more, is tried again for as long as it takes, while logs are kept as far as there is room for them and counted
 * beyond. It keeps no process alive: close it, or the last batch is lost with the process.
 * @throws TypeError when no socket can have the path.
 */
export function createBoundaryLogClient(options: BoundaryLogClientOptions = {}): BoundaryLogClient {
  return new SocketLogClient(options);
}

class SocketLogClient implements BoundaryLogClient {
  readonly path: string;
  readonly #maxBatchLogs: number;
  readonly #maxQueuedLogs: number;
  readonly #flushIntervalMs: number;
  readonly #retryMs: number;
  readonly #onWarning: (text: string) => void;
  readonly #writer: FrameWriter;
  readonly #numbers = new LogNumbers();
  /** What waits for room in the batch. C6.20. */
  readonly #queue: NumberedLog[] = [];
  readonly #batch: NumberedLog[] = [];
  readonly #drops = new Drops();
  /** Dropped, and not told to the agent. */
  #untold = { channelFull: 0, batchFull: 0 };
  #flushTimer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isWorking = false;
  #working: Promise<void> = Promise.resolve();
  #isFailing = false;
  #closing: Promise<void> | undefined;

  constructor(options: BoundaryLogClientOptions) {
    this.path = options.path ?? boundaryLogSocketPath();
    checkSocketPath(this.path);
    this.#maxBatchLogs = options.maxBatchLogs ?? 10;
    this.#maxQueuedLogs = options.maxQueuedLogs ?? 20;
    this.#flushIntervalMs = options.flushIntervalMs ?? 5000;
    this.#retryMs = options.retryMs ?? 5000;
    this.#onWarning = options.onWarning ?? (() => {});
    this.#writer = new FrameWriter(this.path, options.writeTimeoutMs ?? 5000);
    // so that a wrong path is told of before the first log
    this.#writer.connect().catch((error: unknown) => this.#failed(error));
  }

  get next(): BoundaryLogNumber {
    return this.#numbers.next;
  }

  get pending(): number {
    return this.#queue.length + this.#batch.length;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  log(entry: BoundaryLogEntry): boolean {
    const log = numberedLog(entry, this.#numbers.next);
    this.#numbers.advance();
    if (this.#closing !== undefined) {
      this.#drops.count("closed");
      return false;
    }
    if (log.bytes > maxLogBytes) {
      // no batch takes it, which is what the agent is told
      this.#untold.batchFull++;
      this.#drops.count("too_large");
      return false;
    }
    if (this.#queue.length >= this.#maxQueuedLogs) {
      this.#untold.channelFull++;
      this.#drops.count("channel_full");
      return false;
    }
    this.#queue.push(log);
    this.#wake();
    return true;
  }

  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? 5000);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #wake(): void {
    if (!this.#isWorking) this.#working = this.#work();
  }

  get #hasWork(): boolean {
    return this.#closing === undefined && (this.#queue.length > 0 || this.#isDue);
  }

  /** Until a batch has to be sent this is done at once, so that a burst finds the room that there is. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      while (this.#hasWork) {
        if (this.#isDue || this.#isBatchFull) await this.#flush();
        if (this.#takeLog() && this.#isBatchFull) await this.#flush();
      }
    } finally {
      this.#isWorking = false;
    }
  }

  get #isBatchFull(): boolean {
    return this.#batch.length >= this.#maxBatchLogs;
  }

  /** Moves a log to the batch. @returns false when there is none, or it is dropped. */
  #takeLog(): boolean {
    const log = this.#queue.shift();
    if (log === undefined) return false;
    if (this.#isBatchFull) {
      this.#untold.batchFull++;
      this.#drops.count("batch_full");
      return false;
    }
    this.#batch.push(log);
    if (this.#batch.length === 1) this.#flushIn(this.#flushIntervalMs);
    return true;
  }

  /** Sends the batch. What cannot be sent stays, and is tried again. C6.21. */
  async #flush(): Promise<void> {
    this.#isDue = false;
    clearTimeout(this.#flushTimer);
    try {
      while (this.#batch.length > 0) {
        const count = frameLength(this.#batch, this.#maxBatchLogs);
        await this.#writer.write(logsFrame(this.#batch.slice(0, count)));
        this.#batch.splice(0, count);
        this.#isFailing = false;
        await this.#tellDrops();
      }
    } catch (error) {
      this.#failed(error);
      if (this.#batch.length > 0) this.#flushIn(this.#retryMs);
    }
  }

  /** Tells the agent what was dropped, if anything was. C6.22. */
  async #tellDrops(): Promise<void> {
    const { channelFull, batchFull } = this.#untold;
    if (channelFull + batchFull === 0) return;
    this.#untold = { channelFull: 0, batchFull: 0 };
    try {
      await this.#writer.write(statusFrame(channelFull, batchFull));
    } catch (error) {
      this.#untold.channelFull += channelFull;
      this.#untold.batchFull += batchFull;
      throw error;
    }
  }

  #flushIn(ms: number): void {
    clearTimeout(this.#flushTimer);
    if (this.#closing !== undefined) return;
    this.#flushTimer = setTimeout(() => {
      this.#isDue = true;
      this.#wake();
    }, ms).unref();
  }

  #failed(error: unknown): void {
    if (this.#isFailing || this.#closing !== undefined) return;
    this.#isFailing = true;
    const why = errorText(error);
    this.#onWarning(
      `boundary logs do not reach the agent at ${this.path}: ${why}; they are kept as far as there is room, and tried again`,
    );
  }

  async #close(timeoutMs: number): Promise<void> {
    clearTimeout(this.#flushTimer);
    // this timer does keep a process alive, until all is done
    const deadline = setTimeout(() => this.#writer.destroy(), timeoutMs);
    await this.#working;
    this.#batch.push(...this.#queue.splice(0));
    await this.#flush();
    // loss at the very end makes no gap
    await this.#tellDrops().catch(() => {});
    await this.#writer.end();
    clearTimeout(deadline);
    this.#drops.count("closed", this.#batch.splice(0).length);
    this.#writer.destroy();
  }
}
