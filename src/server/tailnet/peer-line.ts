import { formatUuid } from "../../codec/index.js";
import { NodeCodec } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import type { CoordinateRequest, CoordinateResponse, Node } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import type { Coordination, CoordinatorLimits, Peer } from "./coordinator.js";
import { type PeerNews, ResponseQueue } from "./response-queue.js";

/** What a coordinator does for a peer on its line. What it throws ends the peer's stream with that text. */
export interface PeerActions {
  /** @param bytes the node as it is on the wire. */
  updateNode(node: Node, bytes: Uint8Array): void | Promise<void>;
  addTunnel(peerId: string): void | Promise<void>;
  removeTunnel(peerId: string): void | Promise<void>;
  readyForHandshake(peerId: string): void | Promise<void>;
  /**
   * The line is over; called once, nothing else after it. `disconnect` when the peer said goodbye, `lost` when it is
   * gone or has been refused, `slow` when it did not take its answers, `closed` when the coordinator ended it.
   */
  over(why: LineEnd): void;
}

/** How a line ended. */
export type LineEnd = "disconnect" | "lost" | "slow" | "closed";

/**
 * The line to one peer: its requests are handled one after the other, as a whole authorised before any part counts,
 * and its answers wait for it within bounds. S4.9–S4.11.
 */
export class PeerLine implements Coordination {
  readonly peer: Peer;
  readonly #actions: PeerActions;
  readonly #limits: Required<CoordinatorLimits>;
  readonly #responses: ResponseQueue;
  #requests: CoordinateRequest[] = [];
  #isBusy = false;
  #isOver = false;
  /** The peer says no more; what it has said is handled before that counts. */
  #ending: { cause: string | undefined } | undefined;
  /** Those that have sent more than there is room for. */
  readonly #waitingForRoom = new WaitingLine<void>();

  constructor(peer: Peer, limits: Required<CoordinatorLimits>, actions: PeerActions) {
    this.peer = peer;
    this.#actions = actions;
    this.#limits = limits;
    this.#responses = new ResponseQueue(limits, () => this.#over("lost"));
  }

  get responses(): AsyncIterableIterator<CoordinateResponse, undefined> {
    return this.#responses;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(request: CoordinateRequest): Promise<void> {
    if (this.#isOver || this.#ending !== undefined) return Promise.resolve();
    this.#requests.push(request);
    if (!this.#isBusy) void this.#work();
    if (this.#isOver || this.#requests.length < this.#limits.maxQueuedRequests) return Promise.resolve();
    return this.#waitingForRoom.wait();
  }

  end(cause?: string): void {
    if (this.#isOver) return;
    this.#ending ??= { cause };
    if (!this.#isBusy) this.#lose(this.#ending.cause);
  }

  /**
   * Tells the peer.
   * @param failure what it is told instead when it has not taken what was said before: all that waits for it is
   *   dropped, so that it holds no memory. S4.21.
   */
  tell(news: readonly PeerNews[], failure: string): void {
    if (this.#isOver || this.#responses.push(news)) return;
    this.#responses.cut(failure);
    this.#over("slow");
  }

  /** Tells the peer of something that did not work, and goes on. S4.19. */
  complain(error: string): void {
    if (this.#isOver || this.#responses.pushError(error)) return;
    this.#responses.cut(error);
    this.#over("slow");
  }

  /** The coordinator ends it. @param error what the peer is told, when there is something to tell. */
  close(error?: string): void {
    if (this.#isOver) return;
    this.#responses.end(error);
    this.#over("closed");
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let request = this.#requests.shift(); request !== undefined; request = this.#requests.shift()) {
      try {
        await this.#handle(request);
      } catch (error) {
        this.#lose(errorText(error));
      }
      if (this.#isOver) break;
      if (this.#requests.length < this.#limits.maxQueuedRequests) this.#waitingForRoom.serveAll();
    }
    this.#isBusy = false;
    if (this.#ending !== undefined) this.#lose(this.#ending.cause);
  }

  /** S4.10. */
  async #handle(request: CoordinateRequest): Promise<void> {
    await this.#authorize(request);
    const actions = this.#actions;
    const { updateSelf, addTunnel, removeTunnel, disconnect, readyForHandshake } = request;
    if (updateSelf !== undefined && !this.#isOver) await this.#updateNode(updateSelf.node);
    // who opens many tunnels gets as many nodes: no faster than they are read
    if (addTunnel !== undefined) await this.#responses.halfRead();
    if (addTunnel !== undefined && !this.#isOver) await actions.addTunnel(peerIdOf(addTunnel.id));
    if (removeTunnel !== undefined && !this.#isOver) await actions.removeTunnel(peerIdOf(removeTunnel.id));
    if (disconnect !== undefined) return this.#over("disconnect");
    // one that is named a thousand times is told once
    const named = new Set<string>();
    for (const { id } of readyForHandshake) {
      const peerId = peerIdOf(id, "handle ack: ");
      if (named.has(peerId)) continue;
      named.add(peerId);
      // a complaint for each of a thousand ids is not to cut off a peer that reads them
      await this.#responses.halfRead();
      if (this.#isOver) return;
      await actions.readyForHandshake(peerId);
    }
  }

  async #updateNode(node: Node | undefined): Promise<void> {
    if (node === undefined) throw new Error("update_self without a node");
    const bytes = NodeCodec.encode(node);
    const { maxNodeBytes } = this.#limits;
    if (bytes.length > maxNodeBytes) {
      throw new Error(`a node may have ${maxNodeBytes} bytes, not ${bytes.length}`);
    }
    await this.#actions.updateNode(node, bytes);
  }

  async #authorize(request: CoordinateRequest): Promise<void> {
    try {
      await this.peer.authorize(request);
    } catch (error) {
      throw new Error(`authorization: ${errorText(error)}`);
    }
  }

  #lose(error: string | undefined): void {
    if (this.#isOver) return;
    this.#responses.end(error);
    this.#over("lost");
  }

  #over(why: LineEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#requests = [];
    this.#responses.end();
    this.#waitingForRoom.serveAll();
    this.#actions.over(why);
  }
}

/** @throws Error in the words of the reference server. S4.11. */
function peerIdOf(bytes: Uint8Array, prefix = ""): string {
  const id = formatUuid(bytes);
  if (id !== undefined) return id;
  throw new Error(`${prefix}unable to convert bytes to UUID: invalid UUID (got ${bytes.length} bytes)`);
}
