import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseUuid } from "../../codec/index.js";
import type { CoordinateRequestSchema, NodeSchema } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { WaitingLine } from "../../transport/waiting-line.js";

/** A node, as callers write it. */
export type TailnetNodeInit = MessageInitShape<typeof NodeSchema>;

type Request = MessageInitShape<typeof CoordinateRequestSchema>;

/**
 * What one Coordinate call says: the difference between what is wanted and what has been said, so that it never has
 * more to say than there is to want.
 */
export class CoordinationStream {
  #node: TailnetNodeInit | undefined;
  readonly #said = new Set<string>();
  readonly #toAdd: Set<string>;
  readonly #toRemove = new Set<string>();
  #ready: readonly string[] = [];
  #isLeaving = false;
  #isOver = false;
  readonly #waitingForWork = new WaitingLine<void>();
  readonly #waitingForReady = new WaitingLine<void>();

  /** @param wanted all tunnels that are wanted: a server may know of none. C9.6. */
  constructor(node: TailnetNodeInit | undefined, wanted: Iterable<string>) {
    this.#node = node;
    this.#toAdd = new Set(wanted);
  }

  setNode(node: TailnetNodeInit): void {
    this.#node = node;
    this.#wake();
  }

  addTunnel(id: string): void {
    if (this.#said.has(id)) this.#toRemove.delete(id);
    else this.#toAdd.add(id);
    this.#wake();
  }

  removeTunnel(id: string): void {
    if (this.#said.has(id)) this.#toRemove.add(id);
    else this.#toAdd.delete(id);
    this.#wake();
  }

  /**
   * Says of peers that their nodes are known, in one request. Resolves when that is on its way, or the call is over.
   * C9.5. @throws the signal's reason when that ends first.
   */
  async acknowledge(ids: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#isOver || this.#isLeaving) return;
    this.#ready = ids;
    this.#wake();
    await this.#waitingForReady.wait(signal);
  }

  /** Says goodbye, and nothing after it. C9.2. */
  leave(): void {
    this.#isLeaving = true;
    this.#wake();
    this.#waitingForReady.serve();
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** The call is over. */
  end(): void {
    this.#isOver = true;
    this.#wake();
    this.#waitingForReady.serve();
  }

  /** What is to be said, as long as the call lasts. For one reader; when that wants no more it is the end. */
  async *requests(): AsyncGenerator<Request, void, undefined> {
    try {
      while (!this.#isOver) {
        for (const request of this.#due()) yield request;
        if (this.#isLeaving) {
          yield { disconnect: {} };
          break;
        }
        if (!this.#hasWork) await this.#waitingForWork.wait();
      }
      // the server ends the call, after a goodbye too
      while (!this.#isOver) await this.#waitingForWork.wait();
    } finally {
      this.end();
    }
  }

  /** Node first, then answers, then tunnels: new ones before those that go. What comes meanwhile is in it. */
  *#due(): Generator<Request, void, undefined> {
    if (this.#node !== undefined && !this.#isLeaving) {
      const node = this.#node;
      this.#node = undefined;
      yield { updateSelf: { node } };
    }
    if (this.#ready.length > 0 && !this.#isLeaving) {
      const readyForHandshake = this.#ready.map(peer);
      this.#ready = [];
      this.#waitingForReady.serve();
      yield { readyForHandshake };
    }
    for (const id of this.#toAdd) {
      if (this.#isLeaving) return;
      this.#toAdd.delete(id);
      this.#said.add(id);
      yield { addTunnel: peer(id) };
    }
    for (const id of this.#toRemove) {
      if (this.#isLeaving) return;
      this.#toRemove.delete(id);
      this.#said.delete(id);
      yield { removeTunnel: peer(id) };
    }
  }

  get #hasWork(): boolean {
    const { size } = this.#toAdd;
    return (
      this.#isOver ||
      this.#isLeaving ||
      this.#node !== undefined ||
      this.#ready.length > 0 ||
      size > 0 ||
      this.#toRemove.size > 0
    );
  }

  #wake(): void {
    this.#waitingForWork.serve();
  }
}

function peer(id: string): { id: Uint8Array } {
  return { id: parseUuid(id) ?? new Uint8Array() };
}
