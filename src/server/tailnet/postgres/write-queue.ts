import type { LineEnd } from "../peer-line.js";

/** A peer that is written of. */
export interface WrittenPeer {
  readonly id: string;
  /** Its node, as the database keeps it. */
  readonly node: Uint8Array | undefined;
  /** Given by the database; undefined until it has been. */
  readonly connection: number | undefined;
  /** Set when its line is over. */
  readonly end: LineEnd | undefined;
}

/** What the database says to one that comes. */
export interface Joined {
  connection: number;
  /** With whom it shared a tunnel by then. */
  partners: ReadonlySet<string>;
}

/** Something to write for one peer. */
export type Write =
  /**
   * It comes, or is written anew with the number that it has. What it is told is undefined when a later connection is
   * there already.
   */
  | { of: "join"; local: WrittenPeer; onJoined(joined: Joined | undefined): void }
  /** It has another node. */
  | { of: "node"; local: WrittenPeer }
  | { of: "open"; local: WrittenPeer; dsts: readonly string[] }
  | { of: "remove"; local: WrittenPeer; dst: string }
  | { of: "ready"; local: WrittenPeer; to: string }
  /** Its connection is over. */
  | { of: "gone"; local: WrittenPeer; connection: number; why: LineEnd };

/** A write that waits. */
export interface QueuedWrite {
  readonly write: Write;
  /** It is done; false when it was a handshake without a tunnel. */
  resolve(isDone: boolean): void;
  reject(error: Error): void;
}

/** Where writes are taken. */
export interface Writes {
  /** Resolves when it is written, or need not be; false when it was a handshake without a tunnel. */
  add(write: Write): Promise<boolean>;
}

/** Takes some of the writes that wait and writes them. */
export interface WriteBatch {
  readonly writes: readonly QueuedWrite[];
  /** False when it has to wait for the next batch. */
  takes(queued: QueuedWrite): boolean;
}

/**
 * Writes a batch. It rejects when the batch will never be taken, and has told why then; a lost connection it waits for.
 */
export type SendBatch<Batch> = (batch: Batch) => Promise<void>;

/**
 * What waits to be written. Those of one peer are written in order, one per statement; those of different peers
 * together. A peer waits for its write before it says more, so that no more wait than there are peers.
 */
export class WriteQueue<Batch extends WriteBatch> implements Writes {
  readonly #createBatch: () => Batch;
  readonly #send: SendBatch<Batch>;
  #waiting: QueuedWrite[] = [];
  #isSending = false;

  constructor(createBatch: () => Batch, send: SendBatch<Batch>) {
    this.#createBatch = createBatch;
    this.#send = send;
  }

  /** Rejects when the database refuses it. */
  add(write: Write): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      if (!this.#isSending) void this.#sendAll();
    });
  }

  /** Nothing of what waits need be written. */
  clear(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(true);
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    // all of one turn go together
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#createBatch();
      this.#waiting = this.#waiting.filter((each) => !isMoot(each) && !batch.takes(each));
      try {
        if (batch.writes.length > 0) await this.#send(batch);
      } catch {
        // peers are told no more: the words of a database are not for them
        for (const { reject } of batch.writes) reject(new Error("the coordinator's database refused it"));
      }
    }
    this.#isSending = false;
  }
}

/** Whoever is gone need not be written of, unless it is that. */
function isMoot({ write, resolve }: QueuedWrite): boolean {
  if (write.of === "gone" || write.local.end === undefined) return false;
  resolve(true);
  return true;
}
