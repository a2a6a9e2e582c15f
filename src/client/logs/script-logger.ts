import { LineWriter, type LineWriterOptions } from "./line-writer.js";
import type { LogLine } from "./log-line.js";

/** What a {@link ScriptLogger} sends with: a `LogSender`. */
export interface SourceLogSender {
  /** Queues lines of a source, and waits while too much is queued. @throws the signal's reason when that ends first. */
  send(source: string, lines: readonly LogLine[], signal?: AbortSignal): Promise<void>;
  /** Queues lines of a source as far as there is room. @returns how many were queued. */
  enqueue(source: string, lines: readonly LogLine[]): number;
  /** Has the lines of a source sent next. */
  flush(source: string): void;
}

/** The lines of one source. Made by `LogSender.source`. C3.22. */
export class ScriptLogger {
  readonly #sender: SourceLogSender;
  /** The UUID of the source. */
  readonly sourceId: string;

  /** @param sourceId a UUID in its usual spelling. */
  constructor(sender: SourceLogSender, sourceId: string) {
    this.#sender = sender;
    this.sourceId = sourceId;
  }

  /**
   * Queues lines, and waits while too much is queued.
   * @throws the signal's reason; when it has ended before, nothing is queued.
   */
  send(lines: readonly LogLine[], signal?: AbortSignal): Promise<void> {
    return this.#sender.send(this.sourceId, lines, signal);
  }

  /**
   * Queues lines as far as there is room, without waiting.
   * @returns how many were queued; the rest is dropped.
   * @throws the signal's reason when it has ended; nothing is queued then.
   */
  enqueue(lines: readonly LogLine[], signal?: AbortSignal): number {
    signal?.throwIfAborted();
    return this.#sender.enqueue(this.sourceId, lines);
  }

  /** Has what is queued sent next. @throws the signal's reason when it has ended. */
  flush(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    this.#sender.flush(this.sourceId);
  }

  /** Makes lines of bytes, and holds who writes them back while too much is queued. C3.23. */
  writer(options: LineWriterOptions = {}): LineWriter {
    return new LineWriter((lines, signal) => this.send(lines, signal), options);
  }
}
