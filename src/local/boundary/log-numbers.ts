/** Which log of which session. */
export interface BoundaryLogNumber {
  readonly sessionId: string;
  readonly sequenceNumber: number;
}

const maxInt32 = 2 ** 31 - 1;

/** Numbers logs from 0 (C6.23). Numbers end at 2,147,483,647; what comes then is a new session. */
export class LogNumbers {
  #sessionId: string = crypto.randomUUID();
  #sequenceNumber: number;

  constructor(first = 0) {
    this.#sequenceNumber = first;
  }

  /** What the next log gets. */
  get next(): BoundaryLogNumber {
    return { sessionId: this.#sessionId, sequenceNumber: this.#sequenceNumber };
  }

  /** The number of the next log is used. */
  advance(): void {
    if (this.#sequenceNumber++ < maxInt32) return;
    this.#sessionId = crypto.randomUUID();
    this.#sequenceNumber = 0;
  }
}
