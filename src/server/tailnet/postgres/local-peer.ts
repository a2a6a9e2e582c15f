import { normalizeUuid, parseUuid } from "../../../codec/index.js";
import type { Node } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { CoordinatorLimits, Peer } from "../coordinator.js";
import { noSharedTunnel, tooManyTunnels } from "../news-texts.js";
import { type LineEnd, type PeerActions, PeerLine } from "../peer-line.js";
import type { Writes, WrittenPeer } from "./write-queue.js";

/** What a peer needs of the coordinator that it is connected to. */
export interface LocalPeerHost {
  readonly writes: Writes;
  /** The peer's line is over. */
  over(local: LocalPeer, why: LineEnd): void;
}

/** A peer that is connected to this process. Whatever it says counts when the database has it. */
export class LocalPeer implements PeerActions, WrittenPeer {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly line: PeerLine;
  /** Where it has opened tunnels to. */
  readonly opened = new Set<string>();
  /** What it last said, as the database keeps it. */
  node: Uint8Array | undefined;
  /** Given by the database; undefined until it has been. */
  connection: number | undefined;
  /** The connection whose place it takes: while it has none itself, the database still has that. */
  heir: number | undefined;
  /** The highest number that a peer with this id has been given. */
  rival = 0;
  /** Set when the line is over. */
  end: LineEnd | undefined;
  readonly #host: LocalPeerHost;
  readonly #maxTunnels: number;
  readonly #joined: Promise<void>;
  #onJoined: () => void = () => {};

  /** @throws TypeError when the id of the peer is no UUID. */
  constructor(peer: Peer, limits: Required<CoordinatorLimits>, host: LocalPeerHost) {
    const id = normalizeUuid(peer.id);
    const idBytes = parseUuid(peer.id);
    if (id === undefined || idBytes === undefined) {
      throw new TypeError(`the id of a tailnet peer is a UUID, not "${peer.id}"`);
    }
    this.id = id;
    this.idBytes = idBytes;
    this.#host = host;
    this.#maxTunnels = limits.maxTunnelsPerPeer;
    this.#joined = new Promise((resolve) => {
      this.#onJoined = resolve;
    });
    this.line = new PeerLine(peer, limits, this);
  }

  /** The database has it. */
  joined(connection: number): void {
    this.connection = connection;
    this.#onJoined();
  }

  async updateNode(_node: Node, bytes: Uint8Array): Promise<void> {
    await this.#joined;
    this.node = bytes;
    await this.#host.writes.add({ of: "node", local: this });
  }

  async addTunnel(dst: string): Promise<void> {
    // a tunnel to oneself is none
    if (dst === this.id) return;
    await this.#joined;
    if (this.opened.has(dst)) return;
    if (this.opened.size >= this.#maxTunnels) {
      throw new Error(tooManyTunnels(this.#maxTunnels));
    }
    this.opened.add(dst);
    await this.#host.writes.add({ of: "open", local: this, dsts: [dst] });
  }

  async removeTunnel(dst: string): Promise<void> {
    await this.#joined;
    this.opened.delete(dst);
    await this.#host.writes.add({ of: "remove", local: this, dst });
  }

  /** S4.19. */
  async readyForHandshake(to: string): Promise<void> {
    await this.#joined;
    if (await this.#host.writes.add({ of: "ready", local: this, to })) return;
    this.line.complain(noSharedTunnel(to));
  }

  over(why: LineEnd): void {
    this.end = why;
    this.#onJoined();
    this.#host.over(this, why);
  }
}
