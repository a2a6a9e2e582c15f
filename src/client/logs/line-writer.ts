import { encodeUtf8 } from "../../codec/index.js";
import type { Log_Level } from "../../gen/coder/agent/v2/agent_pb.js";
import { LineSplitter } from "./line-splitter.js";
import type { LogLine } from "./log-line.js";

/** How a {@link LineWriter} makes lines. */
export interface LineWriterOptions {
  /** The level of its lines; INFO by default. */
  level?: Log_Level;
  /** A longer line is cut into several; 65,536 by default. */
  maxLineBytes?: number;
  /** Ends waiting for room in the queue. */
  signal?: AbortSignal;
}

/** Takes lines, and has the writer wait while it cannot. */
export type LineTarget = (lines: readonly LogLine[], signal?: AbortSignal) => Promise<void>;

/**
 * Makes log lines of bytes as they come, such as a program's output: C3.23–C3.25. Each line has the time at which it
 * was complete. One call at a time: await one before the next.
 *
 * A `\r` before the `\n` goes wherever the bytes were cut between the two.
 */
export class LineWriter {
  readonly #target: LineTarget;
  readonly #options: LineWriterOptions;
  readonly #splitter: LineSplitter;

  /** @throws RangeError when a character may not fit in a line. */
  constructor(target: LineTarget, options: LineWriterOptions = {}) {
    this.#target = target;
    this.#options = options;
    this.#splitter = new LineSplitter(options.maxLineBytes);
  }

  /**
   * Writes bytes, or text, cut anywhere. The chunk may be reused when this resolves.
   * @returns when the lines that are complete now are queued.
   * @throws what the queue throws, the signal's reason for one. Lines that were not queued by then are lost.
   */
  write(chunk: Uint8Array | string): Promise<void> {
    return this.#send(this.#splitter.push(typeof chunk === "string" ? encodeUtf8(chunk) : chunk));
  }

  /** Sends the text after the last `\n`, if there is any. C3.24. @throws as {@link write}. */
  end(): Promise<void> {
    return this.#send(this.#splitter.end());
  }

  async #send(outputs: readonly string[]): Promise<void> {
    if (outputs.length === 0) return;
    const { level, signal } = this.#options;
    const ofLevel = level === undefined ? {} : { level };
    const lines = outputs.map((output) => ({ output, createdAt: new Date(), ...ofLevel }));
    await this.#target(lines, signal);
  }
}
