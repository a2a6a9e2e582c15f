import { errorText } from "../../rpc/error-text.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { type AgentHttpOptions, agentRequest } from "../http/agent-request.js";
import { apiUrl } from "../http/api-url.js";
import { externalLogSourceId } from "../http/log-source.js";
import { logsRequest } from "../http/patch-logs.js";
import { HttpError } from "../http/request-errors.js";
import { pause } from "../pause.js";
import { type DropCounts, Drops } from "../senders/drops.js";
import { jsonLog, jsonLogBytes } from "./log-json.js";
import { datedLine, type LogLine } from "./log-line.js";
import { OneAtATime } from "./one-at-a-time.js";
import { sourceIdOf } from "./source-id.js";
import { type QueuedLine, SourceQueue } from "./source-queue.js";

/** How an {@link HttpLogSender} behaves. Its `signal` ends it, and drops what is queued. */
export interface HttpLogSenderOptions extends AgentHttpOptions {
  /** The log source's UUID, as text or as 16 bytes; the source for logs from outside by default. */
  sourceId?: string | Uint8Array;
  /** Lines wait so long for others; 250 by default. C3.26. */
  flushIntervalMs?: number;
  /** As soon as so many lines wait, they go; 100 by default. C3.26. */
  flushLines?: number;
  /** When more bytes of JSON than this are queued, writers wait; 1,048,576 by default. */
  maxQueuedBytes?: number;
  /** When so many lines are queued, writers wait; 65,536 by default. */
  maxQueuedLines?: number;
  /** Bytes of JSON in one request, unless one line alone has more; 1,048,576 by default. */
  maxBatchBytes?: number;
  /** From a request that failed to the next try: 1,000 by default, doubled for each up to {@link maxRetryMs}. C3.27. */
  firstRetryMs?: number;
  /** 5,000 by default. C3.27. */
  maxRetryMs?: number;
  /** Told of each request that failed and is tried again. What it throws is ignored. */
  onRetry?: (error: unknown, retryInMs: number) => void;
}

const defaultFlushIntervalMs = 250;
const defaultFlushLines = 100;
const defaultMaxBytes = 1_048_576;
const defaultMaxQueuedLines = 65_536;
const defaultFirstRetryMs = 1000;
const defaultMaxRetryMs = 5000;

/**
 * Sends the log lines of one source by HTTP, `PATCH me/logs`, as was done before BatchCreateLogs (C1.42,
 * C3.26–C3.30): it needs no connection, and works with every server. Requests go one after the other. One that fails
 * is tried again for ever, so the server may have its lines twice; one that the server has no room for (413) is
 * dropped (`too_large`), and the next is sent. Text goes as it is, but for lone surrogates, which become U+FFFD. What
 * is queued when the sender is ended is dropped (`canceled`).
 */
export class HttpLogSender {
  readonly #options: HttpLogSenderOptions;
  readonly #sourceId: string;
  readonly #queue = new SourceQueue();
  #queuedBytes = 0;
  readonly #drops = new Drops();
  readonly #abort = new AbortController();
  #pump: Promise<void> | undefined;
  #closed: Error | undefined;
  readonly #writers = new OneAtATime();
  readonly #waitingForRoom = new WaitingLine<void>();
  readonly #waitingForDue = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();

  /** @throws TypeError when the source is no UUID, or the URL none. */
  constructor(options: HttpLogSenderOptions) {
    apiUrl(options.url, "me/logs");
    this.#options = options;
    this.#sourceId = sourceIdOf(options.sourceId ?? externalLogSourceId);
  }

  /** Lines that are queued, those of a request under way among them. */
  get pending(): number {
    return this.#queue.length;
  }

  /** Lines that were given up: `too_large`, `canceled`. */
  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Queues lines. Waits while too much is queued; calls are served in order.
   * @param signal ends the wait; the lines that are queued by then stay.
   * @throws Error `closed: …` after {@link flushAndClose} or the end of the sender's signal; the signal's reason. C3.29.
   */
  async send(lines: readonly LogLine[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#throwIfClosed();
    if (!this.#writers.tryEnter()) await this.#writers.wait(signal);
    try {
      for (const line of lines) {
        while (this.#isFull) await this.#waitingForRoom.wait(signal);
        this.#throwIfClosed();
        this.#add(line);
      }
    } finally {
      this.#writers.leave();
    }
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#queue.length > 0) await this.#waitingForEmpty.wait(signal);
  }

  /**
   * Takes no more lines, sends those that are queued, and resolves when that is done. C3.28.
   * @param signal ends the wait; what is not sent then is dropped.
   * @throws the signal's reason when that ends first, or that of the sender's signal.
   */
  async flushAndClose(signal?: AbortSignal): Promise<void> {
    this.#close(new Error("closed: the sender takes no more lines"));
    this.#waitingForDue.serve();
    try {
      await this.whenEmpty(signal);
    } catch (error) {
      this.#abort.abort(error);
      await this.#pump;
      throw error;
    }
    await this.#pump;
    this.#abort.signal.throwIfAborted();
  }

  get #isFull(): boolean {
    const { maxQueuedBytes = defaultMaxBytes, maxQueuedLines = defaultMaxQueuedLines } = this.#options;
    return this.#queuedBytes > maxQueuedBytes || this.#queue.length >= maxQueuedLines;
  }

  #add(line: LogLine): void {
    const dated = datedLine(line);
    const queued = { ...dated, bytes: jsonLogBytes(dated) };
    this.#queue.push(queued);
    this.#queuedBytes += queued.bytes;
    this.#pump ??= this.#run();
    if (this.#isDue) this.#waitingForDue.serve();
  }

  /** True when nothing more is waited for before the next request. */
  get #isDue(): boolean {
    const { flushLines = defaultFlushLines } = this.#options;
    return this.#closed !== undefined || this.#queue.length >= flushLines || this.#isFull;
  }

  /** Sends until nothing is queued. Never fails. */
  async #run(): Promise<void> {
    const { signal: outer } = this.#options;
    const { signal } = this.#abort;
    const onAbort = () => this.#abort.abort(outer?.reason);
    outer?.addEventListener("abort", onAbort);
    try {
      while (this.#queue.length > 0) {
        await this.#untilDue(signal);
        await this.#sendBatch(signal);
      }
    } catch (error) {
      // only the end of the signal leads here
      this.#close(closedBy(error));
      this.#drops.count("canceled", this.#queue.length);
      this.#removed(this.#queue.batch({ maxBatchBytes: Number.POSITIVE_INFINITY, lineOverheadBytes: 0 }));
    } finally {
      outer?.removeEventListener("abort", onAbort);
      this.#pump = undefined;
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isDue) return;
    const { flushIntervalMs = defaultFlushIntervalMs } = this.#options;
    const due = this.#waitingForDue.wait(signal);
    const timer = setTimeout(() => this.#waitingForDue.serve(), flushIntervalMs);
    try {
      await due;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws the signal's reason. */
  async #sendBatch(signal: AbortSignal): Promise<void> {
    const { maxBatchBytes = defaultMaxBytes, firstRetryMs = defaultFirstRetryMs } = this.#options;
    const batch = this.#queue.batch({ maxBatchBytes, lineOverheadBytes: 0 });
    const request = logsRequest(this.#sourceId, batch.map(jsonLog));
    let retryInMs = firstRetryMs;
    for (;;) {
      try {
        await agentRequest({ ...this.#options, signal }, request);
        break;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof HttpError && error.status === 413) {
          this.#drops.count("too_large", batch.length);
          break;
        }
        this.#tellRetry(error, retryInMs);
        await pause(retryInMs, signal);
        retryInMs = Math.min(2 * retryInMs, this.#options.maxRetryMs ?? defaultMaxRetryMs);
      }
    }
    this.#removed(batch);
  }

  #tellRetry(error: unknown, retryInMs: number): void {
    try {
      this.#options.onRetry?.(error, retryInMs);
    } catch {
      // the lines must not be lost for it
    }
  }

  #removed(batch: readonly QueuedLine[]): void {
    this.#queuedBytes -= this.#queue.remove(batch);
    this.#waitingForRoom.serveAll();
    if (this.#queue.length === 0) this.#waitingForEmpty.serveAll();
  }

  #close(error: Error): void {
    this.#closed ??= error;
    this.#waitingForRoom.rejectAll(this.#closed);
  }

  #throwIfClosed(): void {
    const { signal } = this.#options;
    if (signal?.aborted) throw closedBy(signal.reason);
    if (this.#closed !== undefined) throw this.#closed;
  }
}

function closedBy(reason: unknown): Error {
  return new Error(`closed: ${errorText(reason)}`, { cause: reason });
}
