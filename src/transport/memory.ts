import {
  type ByteConnection,
  type ConnectionReceiver,
  closedByPeer,
  closedLocally,
  connectionLost,
} from "./connection.js";
import type { TransportError } from "./errors.js";

/** Runs after what is due already, so that two ends that answer each other do not starve timers. */
const soon: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => setImmediate(run) : (run) => setTimeout(run, 0);

/**
 * Two connected ends in this process: what one writes, the other receives, in order and without a copy. For
 * tests, and for a client and a server in one program.
 */
export function createMemoryPair(name = "memory"): [ByteConnection, ByteConnection] {
  return MemoryEnd.pair(name);
}

class MemoryEnd implements ByteConnection {
  readonly name: string;
  #peer: MemoryEnd = this;
  #receiver: ConnectionReceiver | undefined;
  /** What has come from the peer and was not delivered. */
  readonly #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  /** How it ends once the inbox is empty. */
  #endAfterInbox: TransportError | undefined;
  #isPaused = false;
  #isScheduled = false;
  #hasEnded = false;

  private constructor(name: string) {
    this.name = name;
  }

  static pair(name: string): [MemoryEnd, MemoryEnd] {
    const a = new MemoryEnd(name);
    const b = new MemoryEnd(name);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  get bufferedBytes(): number {
    return this.#peer.#inboxBytes;
  }

  attach(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
    this.#schedule();
  }

  write(bytes: Uint8Array): void {
    if (this.#hasEnded || this.#endAfterInbox !== undefined) return;
    this.#peer.#accept(bytes);
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  close(code: number, reason: string): void {
    if (this.#endAfterInbox !== undefined) return;
    this.#peer.#endLater(closedByPeer(this.name, code, reason));
    // what was on its way to this side is not wanted any more
    this.#drop();
    this.#endLater(closedLocally(this.name));
  }

  abort(): void {
    if (this.#endAfterInbox !== undefined) return;
    this.#peer.#drop();
    this.#peer.#endLater(connectionLost(this.name));
    this.#drop();
    this.#endLater(closedLocally(this.name));
  }

  #accept(bytes: Uint8Array): void {
    if (this.#endAfterInbox !== undefined) return;
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    this.#schedule();
  }

  #drop(): void {
    this.#inbox.length = 0;
    this.#inboxBytes = 0;
  }

  #endLater(end: TransportError): void {
    if (this.#endAfterInbox !== undefined) return;
    this.#endAfterInbox = end;
    this.#isPaused = false;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    soon(() => this.#deliver());
  }

  #deliver(): void {
    this.#isScheduled = false;
    const receiver = this.#receiver;
    if (receiver === undefined || this.#hasEnded) return;
    while (!this.#isPaused) {
      const bytes = this.#inbox.shift();
      if (bytes === undefined) break;
      this.#inboxBytes -= bytes.length;
      receiver.onBytes(bytes);
      if (this.#inboxBytes === 0) this.#peer.#drained();
    }
    if (this.#inbox.length === 0 && this.#endAfterInbox !== undefined) {
      this.#hasEnded = true;
      receiver.onEnd(this.#endAfterInbox);
    }
  }

  #drained(): void {
    soon(() => {
      if (!this.#hasEnded) this.#receiver?.onDrain();
    });
  }
}
