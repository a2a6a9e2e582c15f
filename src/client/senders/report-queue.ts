import { WaitingLine } from "../../transport/waiting-line.js";

/** How a {@link ReportQueue} behaves. */
export interface ReportQueueOptions {
  /**
   * Whether a report whose send fails stays first and is sent again in the next run. True by default; false for
   * reports that must not arrive twice.
   */
  isRepeated?: boolean;
}

/** Reports that are sent one at a time, in order, and stay until they are answered, over all connections. */
export class ReportQueue<T> {
  readonly #reports: T[] = [];
  readonly #maxReports: number;
  readonly #isRepeated: boolean;
  readonly #waitingForReports = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();
  #isGivenUp = false;

  constructor(maxReports: number, { isRepeated = true }: ReportQueueOptions = {}) {
    this.#maxReports = maxReports;
    this.#isRepeated = isRepeated;
  }

  /** The one that is being sent counts. */
  get length(): number {
    return this.#reports.length;
  }

  /** True from {@link giveUp} to the next run. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** @returns false when the queue is full or given up; the report is not taken then. */
  push(report: T): boolean {
    if (this.#isGivenUp || this.#reports.length >= this.#maxReports) return false;
    this.#reports.push(report);
    this.#waitingForReports.serve();
    return true;
  }

  /**
   * Sends what is there, and what comes. Run it once for each connection, one at a time.
   * @throws when the signal ends, or a send fails.
   */
  async run(send: (report: T) => Promise<unknown>, signal: AbortSignal): Promise<never> {
    this.#isGivenUp = false;
    for (;;) {
      signal.throwIfAborted();
      const [report] = this.#reports;
      if (report === undefined) {
        await this.#waitingForReports.wait(signal);
        continue;
      }
      let isDone = !this.#isRepeated;
      try {
        await send(report);
        isDone = true;
      } finally {
        if (isDone) this.#reports.shift();
        this.#tellWhenEmpty();
      }
    }
  }

  /** Takes all reports away, and no new ones until the next run. Not while one is being sent. */
  giveUp(): T[] {
    this.#isGivenUp = true;
    const reports = this.#reports.splice(0);
    this.#tellWhenEmpty();
    return reports;
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#reports.length > 0) await this.#waitingForEmpty.wait(signal);
  }

  #tellWhenEmpty(): void {
    if (this.#reports.length === 0) this.#waitingForEmpty.serveAll();
  }
}
