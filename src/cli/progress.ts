import { printable } from "./colors.js";
import type { Terminal } from "./command.js";

/** How often a line is written anew at most. */
const intervalMs = 100;

/**
 * One line on standard error that says how far something is, written anew in its place. Only on a terminal: in a pipe
 * or a file nothing is written.
 */
export class ProgressLine {
  readonly #stderr: Terminal["stderr"] | undefined;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor({ stderr, env }: Pick<Terminal, "stderr" | "env">) {
    this.#stderr = stderr.isTTY === true && env["TERM"] !== "dumb" ? stderr : undefined;
  }

  /** Says how far it is. A text that comes soon after another is left out. */
  show(text: string): void {
    const nowMs = performance.now();
    if (this.#stderr === undefined || nowMs - this.#shownAtMs < intervalMs) return;
    this.#shownAtMs = nowMs;
    this.#isShown = true;
    this.#stderr.write(`\r\x1b[K${printable(text)}`);
  }

  /** Takes the line away, so that something else can be written; a text that comes then is shown at once. */
  clear(): void {
    if (this.#isShown) this.#stderr?.write("\r\x1b[K");
    this.#isShown = false;
    this.#shownAtMs = Number.NEGATIVE_INFINITY;
  }
}
