import { recordingLine, type WireEvent } from "../../observe/index.js";
import { paintFor } from "../colors.js";
import type { Terminal } from "../command.js";
import { eventLine } from "./event-line.js";
import { shows, type View } from "./view.js";

/** What waits for a reader that is slow; events beyond are counted and not shown. */
const maxWaitingBytes = 8 * 1024 * 1024;

/** Shows events on standard output. */
export class EventOutput {
  readonly #terminal: Terminal;
  readonly #view: View;
  readonly #line: (event: WireEvent) => string;
  #dropped = 0;

  /** @param isJson JSON lines in place of lines for people. */
  constructor(terminal: Terminal, view: View, isJson: boolean) {
    this.#terminal = terminal;
    this.#view = view;
    const paint = paintFor(terminal.stdout, terminal);
    this.#line = isJson ? recordingLine : (event) => `${eventLine(event, paint)}\n`;
  }

  /** Shows an event, if the view has it. */
  show(event: WireEvent): void {
    if (!shows(this.#view, event)) return;
    const { stdout, stderr } = this.#terminal;
    if (stdout.writableLength > maxWaitingBytes) {
      this.#dropped++;
      return;
    }
    if (this.#dropped > 0) {
      stderr.write(`${this.#dropped} events are not shown: standard output does not take them.\n`);
      this.#dropped = 0;
    }
    stdout.write(this.#line(event));
  }

  /** Waits until there is room for more; not for longer than somebody looks. */
  async drained(): Promise<void> {
    const { stdout, signal } = this.#terminal;
    if (!stdout.writableNeedDrain || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        stdout.off("drain", done).off("close", done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      stdout.on("drain", done).on("close", done);
      signal.addEventListener("abort", done);
    });
  }
}
