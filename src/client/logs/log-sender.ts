import { parseUuid } from "../../codec/index.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { type DropCounts, Drops } from "../senders/drops.js";
import type { AgentClient, Sender } from "../senders/sender.js";
import { SenderRuns } from "../senders/sender-runs.js";
import { datedLine, type LogLine, wireLog } from "./log-line.js";
import { LogQueues, type Turn } from "./log-queues.js";
import { sanitizedText, utf8ByteLength } from "./log-text.js";
import { OneAtATime } from "./one-at-a-time.js";
import { ScriptLogger } from "./script-logger.js";
import { sourceIdOf } from "./source-id.js";

/** How a {@link LogSender} behaves. */
export interface LogSenderOptions {
  /**
   * When more UTF-8 bytes than this are queued, over all sources, no line is taken until some are sent; 1,048,576 by
   * default. The line that goes over it is still taken. C3.4, C3.5.
   */
  maxQueuedBytes?: number;

  /** So many lines may be queued, over all sources: empty ones take memory too. 65,536 by default. */
  maxQueuedLines?: number;

  /** Bytes of a batch, with 21 for each line besides its text; 1,048,576 by default. A longer line is dropped. C3.12. */
  maxBatchBytes?: number;

  /** So long after a batch that did not empty a source's queue comes its next one; 1,000 by default. C3.10. */
  flushIntervalMs?: number;

  /** Told once, when the server takes no more, after its lines were dropped. What it throws, `run` throws. C3.17. */
  onLimitReached?: () => void;
}

const defaultMaxBytes = 1_048_576;
const defaultMaxQueuedLines = 65_536;
const defaultFlushIntervalMs = 1000;
/** C3.12. */
const lineOverheadBytes = 21;

/**
 * Sends log lines by BatchCreateLogs: in batches, one at a time, each source in its order (C3.1–C3.21). A burst is
 * sent at once; lines that come while a batch of their source is under way go together, after a second or when they
 * are flushed. Lines that are not answered when a connection ends stay, and are sent again on the next: the server
 * may have them twice then. A source without lines is never sent, so there are no empty batches (C3.18).
 *
 * Dropped are lines that are `too_long` for a batch, those that {@link enqueue} finds no room for (`queue_full`),
 * and all that are queued or come when the server takes no more (`limit_reached`).
 */
export class LogSender implements Sender {
  readonly name = "logs";
  readonly #maxQueuedBytes: number;
  readonly #maxQueuedLines: number;
  readonly #maxLineBytes: number;
  readonly #onLimitReached: (() => void) | undefined;
  readonly #queues: LogQueues;
  readonly #drops = new Drops();
  #isLimitReached = false;
  readonly #writers = new OneAtATime();
  readonly #runs = new SenderRuns(this.name);
  readonly #waitingForRoom = new WaitingLine<void>();
  readonly #waitingForWork = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();

  constructor(options: LogSenderOptions = {}) {
    const { maxBatchBytes = defaultMaxBytes, flushIntervalMs = defaultFlushIntervalMs } = options;
    this.#maxQueuedBytes = options.maxQueuedBytes ?? defaultMaxBytes;
    this.#maxQueuedLines = options.maxQueuedLines ?? defaultMaxQueuedLines;
    this.#maxLineBytes = maxBatchBytes - lineOverheadBytes;
    this.#onLimitReached = options.onLimitReached;
    const nowMs = () => performance.now();
    this.#queues = new LogQueues({ maxBatchBytes, lineOverheadBytes, flushIntervalMs, nowMs });
  }

  /** Lines that are queued, those of a batch under way among them. */
  get pending(): number {
    return this.#queues.lines;
  }

  /** Lines that were given up: `too_long`, `queue_full`, `limit_reached`. */
  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /** True when the server takes no more logs of this agent, for good. C3.17. */
  get isLimitReached(): boolean {
    return this.#isLimitReached;
  }

  /** This sender for the lines of one source. @throws TypeError when the source is no UUID. */
  source(source: string | Uint8Array): ScriptLogger {
    return new ScriptLogger(this, sourceIdOf(source));
  }

  /**
   * Queues lines. Waits while too much is queued, so that a writer is as fast as the server; meanwhile nothing else
   * waits for its second. Calls are served in order.
   * @param source the log source's UUID, as text or as its 16 bytes; `externalLogSourceId` is always there.
   * @param signal ends the wait; the lines that are queued by then stay.
   * @throws TypeError when the source is no UUID; the signal's reason.
   */
  async send(source: string | Uint8Array, lines: readonly LogLine[], signal?: AbortSignal): Promise<void> {
    const id = sourceIdOf(source);
    signal?.throwIfAborted();
    if (!this.#writers.tryEnter()) await this.#writers.wait(signal);
    try {
      for (const line of lines) {
        while (this.#isFull) await this.#room(signal);
        this.#queue(id, line);
      }
    } finally {
      this.#writers.leave();
    }
  }

  /**
   * Queues lines, as far as there is room, and never waits: the rest is dropped (`queue_full`). C3.2–C3.6.
   * @param source as in {@link send}.
   * @returns how many were queued.
   * @throws TypeError when the source is no UUID.
   */
  enqueue(source: string | Uint8Array, lines: readonly LogLine[]): number {
    const id = sourceIdOf(source);
    let queued = 0;
    for (const [index, line] of lines.entries()) {
      if (this.#isFull) {
        this.#drops.count("queue_full", lines.length - index);
        break;
      }
      if (this.#queue(id, line)) queued++;
    }
    return queued;
  }

  /** Has the lines of a source sent next, whatever the interval. Nothing for a source without lines. C3.9, C3.21. */
  flush(source: string | Uint8Array): void {
    this.#queues.flush(sourceIdOf(source));
    this.#waitingForWork.serve();
  }

  /**
   * Sends what is queued, and what comes, over a connection. Run it once for each connection, one at a time.
   * @returns when the server takes no more, at once if that is known (C3.17), or does not have the RPC: then what is
   * queued stays.
   * @throws the signal's reason, or the error of the RPC, for which the connection must be given up: lines without
   * an answer stay queued; Error when a run is under way. C3.16, C3.20.
   */
  run(agent: Pick<AgentClient, "batchCreateLogs">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, async () => {
      while (!this.#isLimitReached) {
        signal.throwIfAborted();
        const turn = this.#queues.next(this.#waitingForRoom.length > 0);
        if (turn === undefined) await this.#work(signal);
        else await this.#sendBatch(agent, turn, signal);
      }
    });
  }

  /**
   * Resolves once nothing waits to be sent, also when the signal has ended by then: WaitUntilEmpty, C3.19. It does
   * not hurry: {@link flush} does.
   * @throws the signal's reason when that ends first.
   */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#queues.lines > 0) await this.#waitingForEmpty.wait(signal);
  }

  get #isFull(): boolean {
    if (this.#isLimitReached) return false;
    return this.#queues.bytes > this.#maxQueuedBytes || this.#queues.lines >= this.#maxQueuedLines;
  }

  /** @returns false when the line is dropped. */
  #queue(source: string, line: LogLine): boolean {
    if (this.#isLimitReached) {
      this.#drops.count("limit_reached");
      return false;
    }
    const dated = datedLine(line);
    const output = sanitizedText(dated.output);
    const bytes = utf8ByteLength(output);
    if (bytes > this.#maxLineBytes) {
      this.#drops.count("too_long");
      return false;
    }
    if (this.#queues.add(source, { ...dated, output, bytes })) this.#waitingForWork.serve();
    return true;
  }

  async #room(signal: AbortSignal | undefined): Promise<void> {
    const room = this.#waitingForRoom.wait(signal);
    // who waits for room makes everything due
    this.#waitingForWork.serve();
    await room;
  }

  /** Waits until a queue may be due. */
  async #work(signal: AbortSignal): Promise<void> {
    const work = this.#waitingForWork.wait(signal);
    const dueInMs = this.#queues.dueInMs();
    const timer = Number.isFinite(dueInMs)
      ? setTimeout(() => this.#waitingForWork.serve(), Math.max(1, Math.ceil(dueInMs)))
      : undefined;
    try {
      await work;
    } finally {
      clearTimeout(timer);
    }
  }

  async #sendBatch(
    agent: Pick<AgentClient, "batchCreateLogs">,
    turn: Turn,
    signal: AbortSignal,
  ): Promise<void> {
    const lines = this.#queues.begin(turn);
    const logSourceId = parseUuid(turn.source) ?? new Uint8Array();
    const { logLimitExceeded } = await agent.batchCreateLogs(
      { logSourceId, logs: lines.map(wireLog) },
      { signal },
    );
    if (logLimitExceeded) {
      this.#isLimitReached = true;
      this.#drops.count("limit_reached", this.#queues.clear());
    } else {
      this.#queues.sent(turn, lines);
    }
    this.#waitingForRoom.serveAll();
    if (this.#queues.lines === 0) this.#waitingForEmpty.serveAll();
    if (logLimitExceeded) this.#onLimitReached?.();
  }
}
