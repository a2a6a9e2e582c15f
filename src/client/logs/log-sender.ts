import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { encodeUtf8, formatUuid, parseUuid } from "../../codec/index.js";
import { type Agent, Log_Level, type LogSchema } from "../../gen/coder/agent/v2/agent_pb.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { sanitizedText } from "./log-text.js";

/** One line of a log. */
export interface LogLine {
  output: string;
  /** INFO by default. */
  level?: Log_Level;
  /** Now by default. */
  createdAt?: Date;
}

/** How a {@link LogSender} behaves. */
export interface LogSenderOptions {
  /** So many UTF-8 bytes may wait to be sent, over all sources; 1 MiB by default. C3.4. */
  maxQueuedBytes?: number;
}

/** Bytes of a batch, each line counted with what it costs besides its text. C3.12. */
const maxBatchBytes = 1_048_576;
const lineOverheadBytes = 21;

interface QueuedLine {
  log: MessageInitShape<typeof LogSchema>;
  bytes: number;
}

interface SourceQueue {
  sourceId: Uint8Array;
  lines: QueuedLine[];
}

/**
 * Sends log lines: in batches, one at a time, each source in its order and all sources in turn (C3.11–C3.14). Lines
 * that are not acknowledged when a connection ends stay, and are sent again on the next.
 */
export class LogSender {
  readonly #maxQueuedBytes: number;
  /** The source whose last batch is longest ago comes first. */
  readonly #queues = new Map<string, SourceQueue>();
  #queuedBytes = 0;
  #droppedLines = 0;
  #isLimitReached = false;
  readonly #waitingForRoom = new WaitingLine<void>();
  readonly #waitingForLines = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();

  constructor(options: LogSenderOptions = {}) {
    this.#maxQueuedBytes = options.maxQueuedBytes ?? 1_048_576;
  }

  /** Lines that were given up: too long for a batch, or after the server's limit. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** True when the server takes no more logs of this agent, for good. C3.17. */
  get isLimitReached(): boolean {
    return this.#isLimitReached;
  }

  /**
   * Queues lines. Waits while too much is queued, so that a writer is as fast as the server.
   * @param source the log source's UUID, as text or as its 16 bytes; `externalLogSourceId` is always there.
   * @param signal ends the wait; the lines that are queued by then stay.
   * @throws TypeError when the source is no UUID.
   */
  async send(source: string | Uint8Array, lines: readonly LogLine[], signal?: AbortSignal): Promise<void> {
    const sourceId = uuidOf(source);
    for (const line of lines) {
      while (this.#queuedBytes > this.#maxQueuedBytes && !this.#isLimitReached) {
        signal?.throwIfAborted();
        await this.#waitingForRoom.wait(signal);
      }
      this.#queue(sourceId, line);
    }
  }

  /**
   * Sends what is queued, and what comes, over a connection. Run it once for each connection, one at a time.
   * @returns when the server takes no more.
   * @throws when the signal ends it, or the connection is lost; lines without an answer stay queued.
   */
  async run(agent: Pick<Client<typeof Agent>, "batchCreateLogs">, signal: AbortSignal): Promise<void> {
    while (!this.#isLimitReached) {
      signal.throwIfAborted();
      const queue = this.#nextQueue();
      if (queue === undefined) {
        await this.#waitingForLines.wait(signal);
        continue;
      }
      const count = batchLength(queue.lines);
      const logs = queue.lines.slice(0, count).map(({ log }) => log);
      const { logLimitExceeded } = await agent.batchCreateLogs(
        { logSourceId: queue.sourceId, logs },
        { signal },
      );
      if (logLimitExceeded) this.#giveUp();
      else this.#sent(queue, count);
    }
  }

  /** Resolves once nothing waits to be sent. C3.19. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#queues.size > 0) await this.#waitingForEmpty.wait(signal);
  }

  #queue(sourceId: Uint8Array, { output, level = Log_Level.INFO, createdAt = new Date() }: LogLine): void {
    const text = sanitizedText(output);
    const bytes = encodeUtf8(text).length;
    if (this.#isLimitReached || bytes + lineOverheadBytes > maxBatchBytes) {
      this.#droppedLines++;
      return;
    }
    const key = sourceId.join();
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { sourceId, lines: [] };
      this.#queues.set(key, queue);
    }
    queue.lines.push({ log: { output: text, level, createdAt: timestampFromDate(createdAt) }, bytes });
    this.#queuedBytes += bytes;
    this.#waitingForLines.serve();
  }

  #nextQueue(): SourceQueue | undefined {
    for (const queue of this.#queues.values()) return queue;
    return undefined;
  }

  #sent(queue: SourceQueue, count: number): void {
    for (const { bytes } of queue.lines.splice(0, count)) this.#queuedBytes -= bytes;
    const key = queue.sourceId.join();
    this.#queues.delete(key);
    if (queue.lines.length > 0) this.#queues.set(key, queue);
    this.#wake();
  }

  #giveUp(): void {
    this.#isLimitReached = true;
    for (const { lines } of this.#queues.values()) this.#droppedLines += lines.length;
    this.#queues.clear();
    this.#queuedBytes = 0;
    this.#wake();
  }

  #wake(): void {
    while (this.#waitingForRoom.serve());
    if (this.#queues.size === 0) while (this.#waitingForEmpty.serve());
  }
}

function uuidOf(source: string | Uint8Array): Uint8Array {
  const bytes = typeof source === "string" ? parseUuid(source) : source;
  if (bytes === undefined || formatUuid(bytes) === undefined) {
    throw new TypeError(`a log source is a UUID, as text or as 16 bytes, and not ${String(source)}`);
  }
  return bytes;
}

/** How many lines from the start fit in one batch. */
function batchLength(lines: readonly QueuedLine[]): number {
  let bytes = 0;
  let count = 0;
  for (const line of lines) {
    bytes += line.bytes + lineOverheadBytes;
    if (bytes > maxBatchBytes) break;
    count++;
  }
  return count;
}
