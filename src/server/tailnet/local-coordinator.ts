import { normalizeUuid, parseUuid } from "../../codec/index.js";
import { CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import {
  type Coordination,
  type Coordinator,
  type CoordinatorLimits,
  type Peer,
  resolveLimits,
} from "./coordinator.js";
import { type KnownNode, sameOrNew } from "./known-node.js";
import {
  goodbyes,
  noSharedTunnel,
  readyForHandshake,
  removedTunnel,
  tellFailures,
  tooManyTunnels,
} from "./news-texts.js";
import { type LineEnd, PeerLine } from "./peer-line.js";
import type { PeerNews } from "./response-queue.js";

/** What one peer has to do with another. */
interface Link {
  /** It has opened a tunnel to the other. */
  isSource: boolean;
  /** The other has opened a tunnel to it. */
  isDestination: boolean;
  /** The other's node as it was last sent to this peer; undefined where the peer knows of none. */
  told: KnownNode | undefined;
}

/** Who has, or may have, a peer id. */
interface Place {
  readonly id: string;
  readonly idBytes: Uint8Array;
  /** Undefined while nobody with the id is connected. */
  line: PeerLine | undefined;
  node: KnownNode | undefined;
  /** The latest node of the id: one that is said again is the same object again. */
  latestNode: KnownNode | undefined;
  readonly links: Map<Place, Link>;
  /** Tunnels that it has opened. */
  tunnelCount: number;
}

/**
 * A coordinator for peers of one process. S4.9–S4.24.
 *
 * Tunnels to a peer stay when it goes, those that it has opened go with it; a tunnel to a peer that has never come
 * costs its source only. Two peers share a tunnel as long as one of them has one open to the other: removing one of
 * two tells nobody anything. A tunnel to oneself is none.
 *
 * When an id connects again while it is connected (S4.24), the tunnels of the id stay, both ways, and so does what its
 * partners have been sent: they go on as if nothing had happened, and hear of the newcomer's node when it tells one
 * that is another. The newcomer has no node until it tells one, and is sent all nodes of its partners (S4.22). What
 * waited for the one before is still read from its own stream, which ends with the error.
 */
export class LocalCoordinator implements Coordinator {
  readonly #limits: Required<CoordinatorLimits>;
  readonly #places = new Map<string, Place>();
  #peerCount = 0;
  #isClosed = false;
  /** Those that are over and whose partners do not know yet. */
  #gone: { place: Place; why: LineEnd }[] = [];
  #isTelling = false;

  constructor(limits?: CoordinatorLimits) {
    this.#limits = resolveLimits(limits);
  }

  get peerCount(): number {
    return this.#peerCount;
  }

  /** Peers that are remembered: those that are connected, and those that a connected one has a tunnel to. */
  get knownCount(): number {
    return this.#places.size;
  }

  /** @throws TypeError when the id of the peer is no UUID. */
  coordinate(peer: Peer): Coordination {
    const place = this.#placeOf(normalizeUuid(peer.id) ?? peer.id);
    const line: PeerLine = new PeerLine(peer, this.#limits, {
      updateNode: (node, { length }) => this.#updateNode(place, { node, sizeBytes: length }),
      addTunnel: (id) => this.#addTunnel(place, id),
      removeTunnel: (id) => this.#removeTunnel(place, id),
      readyForHandshake: (id) => this.#readyForHandshake(place, line, id),
      over: (why) => {
        if (place.line === line) this.#leave(place, why);
      },
    });
    if (this.#isClosed) {
      this.#forgetUnused(place);
      line.close();
    } else this.#arrive(place, line);
    return line;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const places = [...this.#places.values()];
    this.#places.clear();
    this.#peerCount = 0;
    for (const place of places) {
      const { line } = place;
      if (line === undefined) continue;
      // all go, so that none need be told of those that go later
      place.line = undefined;
      const lost: PeerNews[] = [];
      for (const [partner, link] of place.links) {
        if (link.told !== undefined) lost.push({ id: partner.idBytes, ...goodbyes.closed });
      }
      line.tell(lost, tellFailures.update);
      line.close("coordinator closed");
    }
  }

  /** S4.22, S4.24. */
  #arrive(place: Place, line: PeerLine): void {
    const before = place.line;
    place.line = line;
    place.node = undefined;
    if (before === undefined) this.#peerCount++;
    else before.close("peer ID overwritten by new connection");
    const news: PeerNews[] = [];
    for (const [partner, link] of place.links) {
      link.told = partner.node;
      if (partner.node !== undefined) news.push(nodeNews(partner, partner.node, "init"));
    }
    line.tell(news, tellFailures.update);
    this.#tellOfGone();
  }

  /** S4.14. */
  #updateNode(place: Place, known: KnownNode): void {
    place.node = sameOrNew(place.latestNode, known);
    place.latestNode = place.node;
    for (const partner of place.links.keys()) {
      this.#introduce(place, partner, "node update", tellFailures.update);
    }
    this.#tellOfGone();
  }

  /** S4.15. */
  #addTunnel(place: Place, id: string): void {
    if (id === place.id) return;
    const destination = this.#placeOf(id);
    if (place.links.get(destination)?.isSource) return;
    if (place.tunnelCount >= this.#limits.maxTunnelsPerPeer) {
      this.#forgetUnused(destination);
      throw new Error(tooManyTunnels(this.#limits.maxTunnelsPerPeer));
    }
    place.tunnelCount++;
    linkOf(place, destination).isSource = true;
    linkOf(destination, place).isDestination = true;
    this.#introduce(destination, place, "add tunnel", tellFailures.addToSource);
    this.#introduce(place, destination, "add tunnel", tellFailures.addToDestination);
    this.#tellOfGone();
  }

  /** S4.16. */
  #removeTunnel(place: Place, id: string): void {
    const destination = this.#places.get(id);
    const link = destination && place.links.get(destination);
    if (destination === undefined || !link?.isSource) return;
    const back = linkOf(destination, place);
    this.#closeTunnel(place, destination);
    if (link.isDestination) return;
    if (link.told !== undefined) {
      place.line?.tell([{ id: destination.idBytes, ...removedTunnel }], tellFailures.removeFromSource);
    }
    if (back.told !== undefined) {
      destination.line?.tell([{ id: place.idBytes, ...removedTunnel }], tellFailures.removeFromDestination);
    }
    this.#tellOfGone();
  }

  /** S4.19. */
  #readyForHandshake(place: Place, line: PeerLine, id: string): void {
    const partner = this.#places.get(id);
    if (partner === undefined || !place.links.has(partner)) {
      line.complain(noSharedTunnel(id));
    } else {
      partner.line?.tell([{ id: place.idBytes, ...readyForHandshake }], tellFailures.update);
    }
    this.#tellOfGone();
  }

  /** Tells one peer of another's node, unless it knows it. */
  #introduce(place: Place, to: Place, reason: string, failed: string): void {
    const link = to.links.get(place);
    const { node } = place;
    if (to.line === undefined || link === undefined || node === undefined || link.told === node) return;
    link.told = node;
    to.line.tell([nodeNews(place, node, reason)], failed);
  }

  #leave(place: Place, why: LineEnd): void {
    place.line = undefined;
    place.node = undefined;
    place.latestNode = undefined;
    this.#peerCount--;
    this.#gone.push({ place, why });
    // in the midst of something, that tells them when it is done
    if (why !== "slow") this.#tellOfGone();
  }

  /** Those that are told may be over by it in their turn: a loop, for a recursion could be as deep as peers are many. */
  #tellOfGone(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let gone = this.#gone.pop(); gone !== undefined; gone = this.#gone.pop()) {
      this.#tellPartners(gone.place, goodbyes[gone.why]);
    }
    this.#isTelling = false;
  }

  /** S4.20. */
  #tellPartners(place: Place, goodbye: { kind: PeerUpdateKind; reason: string }): void {
    for (const [partner, link] of place.links) {
      link.told = undefined;
      const back = linkOf(partner, place);
      const knew = back.told !== undefined;
      back.told = undefined;
      if (link.isSource) this.#closeTunnel(place, partner);
      if (knew) partner.line?.tell([{ id: place.idBytes, ...goodbye }], tellFailures.update);
    }
    this.#forgetUnused(place);
  }

  #closeTunnel(source: Place, destination: Place): void {
    const link = linkOf(source, destination);
    link.isSource = false;
    source.tunnelCount--;
    linkOf(destination, source).isDestination = false;
    if (link.isDestination) return;
    source.links.delete(destination);
    destination.links.delete(source);
    this.#forgetUnused(destination);
  }

  #placeOf(id: string): Place {
    let place = this.#places.get(id);
    if (place === undefined) {
      const idBytes = parseUuid(id);
      if (idBytes === undefined) throw new TypeError(`the id of a tailnet peer is a UUID, not "${id}"`);
      const nothing = { line: undefined, node: undefined, latestNode: undefined };
      place = { id, idBytes, ...nothing, links: new Map(), tunnelCount: 0 };
      this.#places.set(id, place);
    }
    return place;
  }

  #forgetUnused(place: Place): void {
    if (place.line === undefined && place.links.size === 0) this.#places.delete(place.id);
  }
}

function nodeNews(place: Place, node: KnownNode, reason: string): PeerNews {
  return { id: place.idBytes, kind: PeerUpdateKind.NODE, node, reason };
}

function linkOf(place: Place, other: Place): Link {
  let link = place.links.get(other);
  if (link === undefined) {
    link = { isSource: false, isDestination: false, told: undefined };
    place.links.set(other, link);
  }
  return link;
}
