import { WaitingLine } from "../../transport/waiting-line.js";

/** Reports that are sent one at a time, in order, and stay until they are answered, over all connections. */
export class ReportQueue<T> {
  readonly #reports: T[] = [];
  readonly #maxReports: number;
  readonly #waitingForReports = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();

  constructor(maxReports: number) {
    this.#maxReports = maxReports;
  }

  get length(): number {
    return this.#reports.length;
  }

  /** @returns false when the queue is full; the report is dropped then. */
  push(report: T): boolean {
    if (this.#reports.length >= this.#maxReports) return false;
    this.#reports.push(report);
    this.#waitingForReports.serve();
    return true;
  }

  /**
   * Sends what is there, and what comes. Run it once for each connection, one at a time.
   * @throws when the signal ends, or a send fails; that report stays first.
   */
  async run(send: (report: T) => Promise<unknown>, signal: AbortSignal): Promise<never> {
    for (;;) {
      signal.throwIfAborted();
      const [report] = this.#reports;
      if (report === undefined) {
        await this.#waitingForReports.wait(signal);
        continue;
      }
      await send(report);
      this.#reports.shift();
      if (this.#reports.length === 0) while (this.#waitingForEmpty.serve());
    }
  }

  /** Resolves once nothing waits to be sent. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#reports.length > 0) await this.#waitingForEmpty.wait(signal);
  }
}
