import { create, toBinary } from "@bufbuild/protobuf";
import {
  type CoordinateResponse,
  type CoordinateResponse_PeerUpdate,
  type CoordinateResponse_PeerUpdate_Kind,
  CoordinateResponse_PeerUpdateSchema,
  CoordinateResponseSchema,
  type Node,
  NodeSchema,
} from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { CoordinatorLimits } from "./coordinator.js";

/** A node as a coordinator keeps it: once, whoever is told of it. */
export interface KnownNode {
  readonly node: Node;
  /** What it is on the wire. */
  readonly sizeBytes: number;
}

/** A node with its size. */
export function knownNode(node: Node): KnownNode {
  return { node, sizeBytes: toBinary(NodeSchema, node).length };
}

/** News about one peer. S4.20. */
export interface PeerNews {
  /** The 16 bytes of the peer's id. */
  id: Uint8Array;
  kind: CoordinateResponse_PeerUpdate_Kind;
  /** For a NODE only. */
  node?: KnownNode | undefined;
  reason: string;
}

/** An update's id, kind, reason and framing are no larger. */
const updateOverheadBytes = 128;

/** C9.7, S4.22. */
const maxUpdatesPerResponse = 1024;

/** What a peer said may be repeated in an error: more of it than this helps nobody. */
const maxErrorCharacters = 16 * 1024;

type Result = IteratorResult<CoordinateResponse, undefined>;

/**
 * Answers on their way to one peer, for one reader. It takes no more than its bounds allow: who reads slower is cut
 * off. The error at the end of a stream always has room. S4.21.
 */
export class ResponseQueue implements AsyncIterableIterator<CoordinateResponse, undefined> {
  readonly #limits: Required<CoordinatorLimits>;
  readonly #onReturn: () => void;
  #queue: { response: CoordinateResponse; sizeBytes: number }[] = [];
  #queuedBytes = 0;
  #waiting: ((result: Result) => void) | undefined;
  /** What waits for the reader to have read half. */
  #onHalfRead: (() => void) | undefined;
  #isOver = false;

  /** @param onReturn called when the reader wants no more before the end. */
  constructor(limits: Required<CoordinatorLimits>, onReturn: () => void) {
    this.#limits = limits;
    this.#onReturn = onReturn;
  }

  /**
   * Queues news, in as few answers as may be.
   * @returns false when there is no room for all of it: nothing more should be said to this peer.
   */
  push(news: readonly PeerNews[]): boolean {
    let updates: CoordinateResponse_PeerUpdate[] = [];
    let sizeBytes = 0;
    for (const each of news) {
      const bytes = updateOverheadBytes + (each.node?.sizeBytes ?? 0);
      const isFull =
        updates.length === maxUpdatesPerResponse || sizeBytes + bytes > this.#limits.maxResponseBytes;
      if (isFull && updates.length > 0) {
        if (!this.#add(create(CoordinateResponseSchema, { peerUpdates: updates }), sizeBytes)) return false;
        updates = [];
        sizeBytes = 0;
      }
      updates.push(updateOf(each));
      sizeBytes += bytes;
    }
    return (
      updates.length === 0 || this.#add(create(CoordinateResponseSchema, { peerUpdates: updates }), sizeBytes)
    );
  }

  /** Says what went wrong, where that is not the end. @returns false when there is no room for it. */
  pushError(error: string): boolean {
    return this.#add(errorResponse(error), error.length);
  }

  /** True while less than half of the bounds is used. */
  get isHalfRead(): boolean {
    const { maxQueuedResponses, maxQueuedBytes } = this.#limits;
    return this.#queue.length * 2 < maxQueuedResponses && this.#queuedBytes * 2 < maxQueuedBytes;
  }

  /** Resolves when less than half of the bounds is used, or nothing more comes. For one that waits. */
  halfRead(): Promise<void> {
    if (this.#isOver || this.isHalfRead) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onHalfRead = resolve;
    });
  }

  /** Nothing more comes, but for an error, which is beyond the bounds; what is queued is still read. */
  end(error?: string): void {
    if (this.#isOver) return;
    if (error !== undefined && !this.#serve({ done: false, value: errorResponse(error) })) {
      this.#queue.push({ response: errorResponse(error), sizeBytes: 0 });
    }
    this.#isOver = true;
    if (this.#queue.length === 0) this.#serve({ done: true, value: undefined });
    this.#noteRead();
  }

  /** Nothing more comes but an error: what is queued is dropped, and holds no memory for one who does not read. */
  cut(error: string): void {
    if (this.#isOver) return;
    this.#drop();
    this.end(error);
  }

  /** @throws Error when the reader has not waited for the answer before. */
  next(): Promise<Result> {
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#queuedBytes -= first.sizeBytes;
      if (this.isHalfRead) this.#noteRead();
      return Promise.resolve({ done: false, value: first.response });
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    if (this.#waiting !== undefined) {
      return Promise.reject(new Error("answers of a coordinator have one reader: wait for the one before"));
    }
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<Result> {
    const wasOver = this.#isOver;
    this.#drop();
    this.end();
    if (!wasOver) this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #add(response: CoordinateResponse, sizeBytes: number): boolean {
    if (this.#isOver || this.#serve({ done: false, value: response })) return true;
    const { maxQueuedResponses, maxQueuedBytes } = this.#limits;
    const isTooMuch = this.#queue.length > 0 && this.#queuedBytes + sizeBytes > maxQueuedBytes;
    if (isTooMuch || this.#queue.length >= maxQueuedResponses) return false;
    this.#queue.push({ response, sizeBytes });
    this.#queuedBytes += sizeBytes;
    return true;
  }

  #drop(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  /** @returns false when the reader does not wait. */
  #serve(result: Result): boolean {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(result);
    return waiting !== undefined;
  }

  #noteRead(): void {
    const onHalfRead = this.#onHalfRead;
    this.#onHalfRead = undefined;
    onHalfRead?.();
  }
}

function errorResponse(error: string): CoordinateResponse {
  return create(CoordinateResponseSchema, { error: error.slice(0, maxErrorCharacters) });
}

function updateOf({ id, kind, node, reason }: PeerNews): CoordinateResponse_PeerUpdate {
  return create(CoordinateResponse_PeerUpdateSchema, {
    id,
    kind,
    reason,
    ...(node && { node: node.node }),
  });
}
