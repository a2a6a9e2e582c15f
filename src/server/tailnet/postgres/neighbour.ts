import { parseUuid } from "../../../codec/index.js";
import { NodeCodec } from "../../../gen/coder/tailnet/v2/tailnet_codec.js";
import { type KnownNode, sameOrNew } from "../known-node.js";
import type { PeerFact } from "./facts.js";

/** A peer, here or elsewhere, that some of this process share a tunnel with. */
export class Neighbour<Follower> {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly followers = new Set<Follower>();
  #connection = 0;
  #node: KnownNode | undefined;
  /** The last one known, with its bytes. */
  #latest: { node: KnownNode; bytes: Uint8Array } | undefined;

  constructor(id: string) {
    this.id = id;
    this.idBytes = parseUuid(id) ?? new Uint8Array(16);
  }

  /** The highest number known of its connections; 0 while it has had none. */
  get connection(): number {
    return this.#connection;
  }

  /** Undefined while that connection has told none. One that is said again is the same object again. */
  get node(): KnownNode | undefined {
    return this.#node;
  }

  /** There is a connection with this number, which has not told a node yet. */
  begin(connection: number): void {
    if (this.#connection >= connection) return;
    this.#connection = connection;
    this.#node = undefined;
  }

  /** The connection with this number is over, and those before it. */
  end(connection: number): void {
    if (this.#connection > connection) return;
    this.#connection = connection;
    this.#node = undefined;
  }

  /** It is not there. */
  miss(): void {
    this.#node = undefined;
  }

  /** Takes what was read. Of one that is gone by then a notice says so, which is on its way. */
  refresh(fact: PeerFact | undefined): void {
    if (fact === undefined || fact.connection < this.#connection) return;
    this.#connection = fact.connection;
    this.#node = fact.node && this.#knownNode(fact.node);
  }

  /** The bytes are compared first: the same again are not read. */
  #knownNode(bytes: Uint8Array): KnownNode {
    const latest = this.#latest;
    if (latest !== undefined && Buffer.compare(latest.bytes, bytes) === 0) return latest.node;
    const node = sameOrNew(latest?.node, { node: NodeCodec.decode(bytes), sizeBytes: bytes.length });
    if (node !== latest?.node) this.#latest = { node, bytes };
    return node;
  }
}
