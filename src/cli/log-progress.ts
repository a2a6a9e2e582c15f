import type { LogSender } from "../client/index-node.js";
import type { Terminal } from "./command.js";
import { ProgressLine } from "./progress.js";

const intervalMs = 500;

/** How many lines were read and sent: on a terminal while it goes on, and at the end as figures. */
export class LogProgress {
  readonly #sender: Pick<LogSender, "pending" | "dropped">;
  readonly #line: ProgressLine;
  readonly #timer: ReturnType<typeof setInterval>;
  #read = 0;

  /** Call {@link end}. */
  constructor(sender: Pick<LogSender, "pending" | "dropped">, terminal: Terminal) {
    this.#sender = sender;
    this.#line = new ProgressLine(terminal);
    this.#timer = setInterval(() => this.#show(), intervalMs);
  }

  /** Counts lines of the input. */
  read(lines: number): void {
    this.#read += lines;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#line.clear();
  }

  /** Lines: all of the input, those that the server has taken, those that were given up, and why. */
  summary() {
    const { pending, dropped } = this.#sender;
    const droppedLines = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    return { read: this.#read, sent: this.#read - pending - droppedLines, pending, dropped };
  }

  #show(): void {
    const { read, sent } = this.summary();
    this.#line.show(`${read} lines read, ${sent} sent`);
  }
}
