import { create } from "@bufbuild/protobuf";
import { NodeCodec } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import {
  type CoordinateResponse,
  type CoordinateResponse_PeerUpdate,
  type CoordinateResponse_PeerUpdate_Kind,
  CoordinateResponse_PeerUpdateSchema,
  CoordinateResponseSchema,
  type Node,
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
  return { node, sizeBytes: NodeCodec.encode(node).length };
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

type Result = IteratorResult<CoordinateResponse, undefined>;

/** Answers on their way to one peer. It takes no more than its bounds allow: who reads slower is cut off. S4.21. */
export class ResponseQueue implements AsyncIterableIterator<CoordinateResponse, undefined> {
  readonly #limits: Required<CoordinatorLimits>;
  readonly #onReturn: () => void;
  #queue: { response: CoordinateResponse; sizeBytes: number }[] = [];
  #queuedBytes = 0;
  #waiting: ((result: Result) => void) | undefined;
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

  /** Says what went wrong. @returns false when there is no room for it. */
  pushError(error: string): boolean {
    return this.#add(create(CoordinateResponseSchema, { error }), error.length);
  }

  /** Nothing more comes; what is queued is still read. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#queue.length === 0) this.#serve({ done: true, value: undefined });
  }

  /** One reader, that waits for an answer before it asks for the next. */
  next(): Promise<Result> {
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#queuedBytes -= first.sizeBytes;
      return Promise.resolve({ done: false, value: first.response });
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<Result> {
    const wasOver = this.#isOver;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.end();
    if (!wasOver) this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #add(response: CoordinateResponse, sizeBytes: number): boolean {
    if (this.#isOver) return true;
    if (this.#waiting !== undefined) {
      this.#serve({ done: false, value: response });
      return true;
    }
    const { maxQueuedResponses, maxQueuedBytes } = this.#limits;
    const isTooMuch = this.#queue.length > 0 && this.#queuedBytes + sizeBytes > maxQueuedBytes;
    if (isTooMuch || this.#queue.length >= maxQueuedResponses) return false;
    this.#queue.push({ response, sizeBytes });
    this.#queuedBytes += sizeBytes;
    return true;
  }

  #serve(result: Result): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(result);
  }
}

function updateOf({ id, kind, node, reason }: PeerNews): CoordinateResponse_PeerUpdate {
  return create(CoordinateResponse_PeerUpdateSchema, {
    id,
    kind,
    reason,
    ...(node && { node: node.node }),
  });
}
