import { formatUuid } from "../../codec/index.js";
import {
  type CoordinateResponse_PeerUpdate,
  CoordinateResponse_PeerUpdate_Kind as Kind,
  type Node,
} from "../../gen/coder/tailnet/v2/tailnet_pb.js";

/** What is known of a peer. */
export interface TailnetPeer {
  /** How to reach it. */
  readonly node: Node;
  /** `lost` when the server no longer hears of it, or this side of the server: it may be reachable all the same. */
  readonly status: "connected" | "lost";
  /** Whether it has said that it awaits this side's first packets. Agents say so, clients never do. */
  readonly isReady: boolean;
}

/** Known peers, by id. Never changes: the next state is another map. */
export type TailnetPeers = ReadonlyMap<string, TailnetPeer>;

/** Of peers that nobody waits for, those lost last are kept: their data paths may still work. */
const maxLostStrangers = 1000;

/** The peers as a server tells of them. */
export class PeerTable {
  readonly #peers = new Map<string, TailnetPeer>();
  /** Lost ones that are not wanted, those lost first in front. */
  readonly #lostStrangers = new Set<string>();
  /** Wanted ones that are ready before their node is known. */
  readonly #earlyReady = new Set<string>();
  readonly #wanted: ReadonlySet<string>;
  readonly #keepsStrangers: boolean;

  /**
   * @param wanted ids of peers that are kept for as long as they are wanted.
   * @param keepsStrangers whether others are kept for a while when they are lost.
   */
  constructor(wanted: ReadonlySet<string>, keepsStrangers: boolean) {
    this.#wanted = wanted;
    this.#keepsStrangers = keepsStrangers;
  }

  snapshot(): TailnetPeers {
    return new Map(this.#peers);
  }

  /**
   * Takes one piece of news. Kinds that are not known are left alone.
   * @returns the id of a peer whose node it was; undefined for other news.
   * @throws Error when it makes no sense.
   */
  apply({ id: bytes, kind, node }: CoordinateResponse_PeerUpdate): string | undefined {
    const id = formatUuid(bytes);
    if (id === undefined) throw new Error(`a peer's id of ${bytes.length} bytes is no UUID`);
    switch (kind) {
      case Kind.NODE:
        if (node === undefined) throw new Error(`news of the node of ${id} without the node`);
        this.#put(id, node);
        return id;
      case Kind.DISCONNECTED:
        this.#remove(id);
        break;
      case Kind.LOST:
        this.#lose(id);
        break;
      case Kind.READY_FOR_HANDSHAKE:
        this.#markReady(id);
        break;
    }
    return undefined;
  }

  /** The server says no more. C9.4. */
  loseAll(): void {
    this.#earlyReady.clear();
    for (const id of [...this.#peers.keys()]) this.#lose(id);
  }

  /**
   * A peer is no longer wanted: of one that is lost nobody would tell that it is gone.
   * @returns true when it was.
   */
  unwanted(id: string): boolean {
    this.#earlyReady.delete(id);
    if (this.#peers.get(id)?.status !== "lost") return false;
    this.#remove(id);
    return true;
  }

  #put(id: string, node: Node): void {
    const known = this.#peers.get(id);
    // one that was lost is another process, or another life of the same: it says again when it is ready
    const isReady = this.#earlyReady.delete(id) || (known?.status === "connected" && known.isReady);
    this.#peers.set(id, { node, status: "connected", isReady });
    this.#lostStrangers.delete(id);
  }

  #markReady(id: string): void {
    const known = this.#peers.get(id);
    if (known?.status === "connected") this.#peers.set(id, { ...known, isReady: true });
    else if (this.#wanted.has(id)) this.#earlyReady.add(id);
  }

  #lose(id: string): void {
    this.#earlyReady.delete(id);
    const known = this.#peers.get(id);
    if (known === undefined || known.status === "lost") return;
    this.#peers.set(id, { ...known, status: "lost", isReady: false });
    if (this.#wanted.has(id)) return;
    this.#lostStrangers.add(id);
    const [oldest = id] = this.#lostStrangers;
    if (this.#lostStrangers.size > (this.#keepsStrangers ? maxLostStrangers : 0)) this.#remove(oldest);
  }

  #remove(id: string): void {
    this.#peers.delete(id);
    this.#lostStrangers.delete(id);
    this.#earlyReady.delete(id);
  }
}
