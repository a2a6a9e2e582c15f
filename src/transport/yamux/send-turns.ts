import { FrameType } from "../../codec/index.js";
import type { Outbox } from "./outbox.js";
import type { YamuxStream } from "./stream.js";

/** Data frames are at most so large while several streams want to send, so that none waits long for another. */
const fairFrameBytes = 16 * 1024;

/** Who sends next: small data at once while nobody waits, everything else stream by stream in turns. */
export class SendTurns {
  readonly #outbox: Outbox;
  /** Streams that have something to send, in the order of their turns. */
  #waiting: YamuxStream[] = [];

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /**
   * Begins a data frame ahead of the turns.
   * @returns where its body goes, or -1 when it is too large, or others wait, or the connection has enough.
   */
  begin(flags: number, id: number, length: number): number {
    if (length > fairFrameBytes || this.#outbox.isBlocked || this.#waiting.length > 0) return -1;
    return this.#outbox.frameWithBody(FrameType.Data, flags, id, length);
  }

  /** The stream has a queue. It gets its turn before the tick ends, unless the connection has enough. */
  add(stream: YamuxStream): void {
    if (!stream.isInSendList) {
      stream.isInSendList = true;
      this.#waiting.push(stream);
    }
    this.#outbox.schedule();
  }

  /** The connection takes more. */
  onDrain(): void {
    if (this.#waiting.length > 0) this.#outbox.schedule();
  }

  /** Gives each stream its turn, round after round, until none wants or the connection has enough. */
  run(): void {
    while (this.#waiting.length > 0 && !this.#outbox.isBlocked) {
      const round = this.#waiting;
      this.#waiting = [];
      const most = round.length === 1 ? this.#outbox.maxBodyBytes : fairFrameBytes;
      for (const [i, stream] of round.entries()) {
        if (this.#outbox.isBlocked) {
          // those whose turn did not come are first in the next round
          this.#waiting = [...round.slice(i), ...this.#waiting];
          break;
        }
        stream.isInSendList = false;
        if (this.#sendOneFrame(stream, most)) this.add(stream);
      }
    }
  }

  clear(): void {
    this.#waiting = [];
  }

  #sendOneFrame(stream: YamuxStream, most: number): boolean {
    return stream.sendQueued(most, (flags, length) => {
      const at = this.#outbox.frameWithBody(FrameType.Data, flags, stream.id, length);
      return this.#outbox.memory.subarray(at, at + length);
    });
  }
}
