import { create } from "@bufbuild/protobuf";
import {
  type CoordinateResponse,
  type CoordinateResponse_PeerUpdate,
  type CoordinateResponse_PeerUpdate_Kind,
  CoordinateResponse_PeerUpdateSchema,
  CoordinateResponseSchema,
} from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { CoordinatorLimits } from "./coordinator.js";
import type { KnownNode } from "./known-node.js";

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

/** An answer that waits. */
interface Queued {
  readonly response: CoordinateResponse;
  sizeBytes: number;
  /** False for what is beyond the bounds, however much it is. */
  readonly isBounded: boolean;
}

/**
 * Answers on their way to one peer, for one reader. It takes no more than its bounds allow: who reads slower is cut
 * off. News that come while others wait go with them, so that a burst is few answers. The first news always have
 * room, as nobody could have read them before, and so has the error at the end of a stream. S4.21, S4.22.
 */
export class ResponseQueue implements AsyncIterableIterator<CoordinateResponse, undefined> {
  readonly #limits: Required<CoordinatorLimits>;
  readonly #onReturn: () => void;
  #queue: Queued[] = [];
  #queuedResponses = 0;
  #queuedBytes = 0;
  #hasNews = false;
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
    if (this.#isOver || news.length === 0) return true;
    const isBounded = this.#hasNews;
    this.#hasNews = true;
    const all = news.map((each) => ({ update: updateOf(each), sizeBytes: sizeOf(each) }));
    const rest = isBounded ? this.#join(all) : all;
    if (rest === undefined) return false;
    return this.#packed(rest).every((each) => this.#add({ ...each, isBounded }));
  }

  /** Says what went wrong, where that is not the end. @returns false when there is no room for it. */
  pushError(error: string): boolean {
    return this.#add({ response: errorResponse(error), sizeBytes: error.length, isBounded: true });
  }

  /** Resolves when less than half of the bounds is used, or nothing more comes. For one that waits. */
  halfRead(): Promise<void> {
    if (this.#isOver || this.#isHalfRead) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onHalfRead = resolve;
    });
  }

  /** Nothing more comes, but for an error, which is beyond the bounds; what is queued is still read. */
  end(error?: string): void {
    if (this.#isOver) return;
    if (error !== undefined && !this.#serve({ done: false, value: errorResponse(error) })) {
      this.#queue.push({ response: errorResponse(error), sizeBytes: 0, isBounded: false });
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
      if (first.isBounded) {
        this.#queuedBytes -= first.sizeBytes;
        this.#queuedResponses--;
      }
      if (this.#isHalfRead) this.#noteRead();
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

  /** Adds what fits to the answer that waits last. @returns what is left; undefined when bytes are at the bound. */
  #join(updates: readonly SizedUpdate[]): readonly SizedUpdate[] | undefined {
    const last = this.#queue.at(-1);
    if (last?.isBounded !== true || last.response.error !== "") return updates;
    const { peerUpdates } = last.response;
    for (const [i, { update, sizeBytes }] of updates.entries()) {
      if (!this.#fits(peerUpdates.length, last.sizeBytes, sizeBytes)) return updates.slice(i);
      if (this.#queuedBytes + sizeBytes > this.#limits.maxQueuedBytes) return undefined;
      peerUpdates.push(update);
      last.sizeBytes += sizeBytes;
      this.#queuedBytes += sizeBytes;
    }
    return [];
  }

  /** Updates in as few answers as may be. */
  #packed(updates: readonly SizedUpdate[]): { response: CoordinateResponse; sizeBytes: number }[] {
    const answers: { response: CoordinateResponse; sizeBytes: number }[] = [];
    for (const { update, sizeBytes } of updates) {
      const last = answers.at(-1);
      if (last !== undefined && this.#fits(last.response.peerUpdates.length, last.sizeBytes, sizeBytes)) {
        last.response.peerUpdates.push(update);
        last.sizeBytes += sizeBytes;
      } else {
        answers.push({ response: create(CoordinateResponseSchema, { peerUpdates: [update] }), sizeBytes });
      }
    }
    return answers;
  }

  /** Whether an update goes into an answer that has some already. */
  #fits(count: number, answerBytes: number, updateBytes: number): boolean {
    return count < maxUpdatesPerResponse && answerBytes + updateBytes <= this.#limits.maxResponseBytes;
  }

  #add(queued: Queued): boolean {
    if (this.#isOver || this.#serve({ done: false, value: queued.response })) return true;
    if (queued.isBounded) {
      const { maxQueuedResponses, maxQueuedBytes } = this.#limits;
      const isTooMuch = this.#queuedResponses > 0 && this.#queuedBytes + queued.sizeBytes > maxQueuedBytes;
      if (isTooMuch || this.#queuedResponses >= maxQueuedResponses) return false;
      this.#queuedBytes += queued.sizeBytes;
      this.#queuedResponses++;
    }
    this.#queue.push(queued);
    return true;
  }

  /** True while less than half of the bounds is used. */
  get #isHalfRead(): boolean {
    const { maxQueuedResponses, maxQueuedBytes } = this.#limits;
    return this.#queuedResponses * 2 < maxQueuedResponses && this.#queuedBytes * 2 < maxQueuedBytes;
  }

  #drop(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#queuedResponses = 0;
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

interface SizedUpdate {
  readonly update: CoordinateResponse_PeerUpdate;
  readonly sizeBytes: number;
}

function sizeOf({ node }: PeerNews): number {
  return updateOverheadBytes + (node?.sizeBytes ?? 0);
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
