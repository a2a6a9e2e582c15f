import { spawn } from "node:child_process";

/** All that run, so that none is left behind. */
const alive = /** @type {Set<Child>} */ (new Set());

/** Ends all processes that were started here. */
export function endAll() {
  return Promise.all([...alive].map((child) => child.end()));
}

const endTimeoutMs = 5_000;

/** A program that answers JSON commands, one at a time: see `processes/commands.mjs`. */
export class Child {
  #process;
  #label;
  #rest = "";
  /** @type {{ resolve: (answer: any) => void, reject: (error: Error) => void } | undefined} */
  #waiting;
  /** @type {Promise<void>} */
  #exited;
  #hasExited = false;

  /**
   * Starts a program. Await {@link next} for its first line.
   *
   * @param {{ command: string, args: string[] }} program
   * @param {string} label for errors
   */
  constructor({ command, args }, label) {
    this.#label = label;
    this.#process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin.on("error", () => {}); // the end of the process says it
    this.#process.stdout.setEncoding("utf8").on("data", (text) => this.#onText(text));
    this.#exited = new Promise((resolve) => {
      const over = (/** @type {string} */ how) => {
        this.#hasExited = true;
        alive.delete(this);
        this.#settle(({ reject }) => reject(new Error(`${this.#label}: ${how}`)));
        resolve();
      };
      this.#process.on("error", (error) => over(`cannot be started: ${error.message}`));
      this.#process.on("exit", (code, signal) => over(`ended with ${signal ?? `code ${code}`}`));
    });
    alive.add(this);
  }

  get pid() {
    return this.#process.pid;
  }

  /**
   * @param {import("../processes/commands.mjs").Command} command
   * @param {number} [timeoutMs]
   * @returns {Promise<any>} the answer
   */
  request(command, timeoutMs) {
    const answer = this.next(timeoutMs);
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    return answer;
  }

  /**
   * The next line.
   *
   * @param {number} [timeoutMs]
   * @returns {Promise<any>}
   */
  next(timeoutMs = 30_000) {
    if (this.#hasExited) return Promise.reject(new Error(`${this.#label}: is gone`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(() => reject(new Error(`${this.#label}: no answer within ${timeoutMs} ms`))),
        timeoutMs,
      );
      const settled = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.#waiting = { resolve: settled(resolve), reject: settled(reject) };
    });
  }

  /** The end of stdin ends the program; one that does not listen is killed. */
  async end() {
    if (this.#hasExited) return;
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), endTimeoutMs);
    await this.#exited;
    clearTimeout(timer);
  }

  /** @param {string} text */
  #onText(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = parsed(line);
      if (answer.error === undefined) this.#settle(({ resolve }) => resolve(answer));
      else this.#settle(({ reject }) => reject(new Error(`${this.#label}: ${answer.error}`)));
    }
  }

  /** @param {(waiting: { resolve: (answer: any) => void, reject: (error: Error) => void }) => void} how */
  #settle(how) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}

/**
 * @param {string} line
 * @returns {any}
 */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { error: `says ${line}` };
  }
}
