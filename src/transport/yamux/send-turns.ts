import type { Outbox } from "./outbox.js";

/** Data frames are at most so large while several streams want to send, so that none waits long for another. */
const fairFrameBytes = 16 * 1024;

/** Streams with no more than this to send do not wait for those that have more. */
const smallBytes = 4 * 1024;

/** A stream that has more to send than may leave at once. */
export interface SendingStream {
  readonly id: number;
  readonly queuedBytes: number;
  /** True while it waits for a turn. */
  isInSendList: boolean;
  /**
   * Sends as much as its window and `most` allow, in one frame.
   * @param frame begins a frame and gives the place for its body.
   * @returns true when it could send more at once.
   */
  sendQueued(most: number, frame: (flags: number, length: number) => Uint8Array): boolean;
}

/**
 * Who sends next. Small data leaves at once, ahead of bulk data that waits; bulk data leaves stream by stream in turns,
 * and never much of it at a time.
 */
export class SendTurns {
  readonly #outbox: Outbox;
  /** Streams that have little to send, in the order of their turns. */
  #small: SendingStream[] = [];
  /** Streams that have more to send, in the order of their turns. */
  #bulk: SendingStream[] = [];

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /**
   * Begins a data frame ahead of the turns.
   * @returns where its body goes, or -1 when it is too large, or others wait, or the connection has enough.
   */
  begin(flags: number, id: number, length: number): number {
    if (length > fairFrameBytes || this.#outbox.isBlocked) return -1;
    if (length > smallBytes && this.#bulk.length > 0) return -1;
    return this.#outbox.data(flags, id, length);
  }

  /** Sends of a stream's queue what may leave ahead of the turns: all there is room for, where no other stream waits. */
  sendAtOnce(stream: SendingStream): void {
    if (this.#bulk.length > 0) return;
    for (let left = stream.queuedBytes; left > 0 && this.#takesBulk; left = stream.queuedBytes) {
      const hasMore = this.#send(stream, this.#outbox.maxBulkBodyBytes);
      if (stream.queuedBytes < left) this.#outbox.wroteBulk();
      if (!hasMore) return;
    }
  }

  /** The stream has a queue. It gets its turn before the tick ends, unless the connection has enough. */
  add(stream: SendingStream): void {
    if (!stream.isInSendList) {
      stream.isInSendList = true;
      if (stream.queuedBytes <= smallBytes) this.#small.push(stream);
      else this.#bulk.push(stream);
    }
    this.#outbox.schedule();
  }

  /** The connection may take more: has a flush for what waits. */
  goOn(): void {
    if (this.#small.length + this.#bulk.length === 0 || this.#outbox.isBlocked) return;
    if (this.#small.length > 0 || this.#outbox.takesBulk) this.#outbox.schedule();
  }

  /** Gives each stream its turn, round after round, until none wants or the connection has enough. */
  run(): void {
    this.#runSmall();
    this.#runBulk();
  }

  clear(): void {
    this.#small = [];
    this.#bulk = [];
  }

  #runSmall(): void {
    while (this.#small.length > 0 && !this.#outbox.isBlocked) {
      const round = this.#small;
      this.#small = [];
      for (const [i, stream] of round.entries()) {
        if (this.#outbox.isBlocked) {
          // those whose turn did not come are first in the next round
          this.#small = [...round.slice(i), ...this.#small];
          break;
        }
        this.#turnOf(stream, fairFrameBytes);
      }
    }
  }

  #runBulk(): void {
    while (this.#bulk.length > 0 && this.#takesBulk) {
      const round = this.#bulk;
      this.#bulk = [];
      const most = round.length === 1 ? this.#outbox.maxBulkBodyBytes : fairFrameBytes;
      for (const [i, stream] of round.entries()) {
        if (!this.#takesBulk) {
          this.#bulk = [...round.slice(i), ...this.#bulk];
          break;
        }
        this.#turnOf(stream, most);
        this.#outbox.wroteBulk();
      }
    }
  }

  get #takesBulk(): boolean {
    return !this.#outbox.isBlocked && this.#outbox.takesBulk;
  }

  #turnOf(stream: SendingStream, most: number): void {
    stream.isInSendList = false;
    if (this.#send(stream, most)) this.add(stream);
  }

  /** @returns true when the stream could send more at once. */
  #send(stream: SendingStream, most: number): boolean {
    return stream.sendQueued(most, (flags, length) => {
      const at = this.#outbox.data(flags, stream.id, length, length > smallBytes);
      return this.#outbox.memory.subarray(at, at + length);
    });
  }
}
