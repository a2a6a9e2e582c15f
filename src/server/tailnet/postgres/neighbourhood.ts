import { createRegistry, equals, fromBinary } from "@bufbuild/protobuf";
import { parseUuid } from "../../../codec/index.js";
import {
  NodeSchema,
  CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind,
} from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import { goodbyes, readyForHandshake, removedTunnel, tellFailures } from "../news-texts.js";
import type { PeerLine } from "../peer-line.js";
import type { KnownNode, PeerNews } from "../response-queue.js";
import type { Facts } from "./facts.js";
import type { Notice } from "./notices.js";

/** A peer of this process, as far as it is told of others. */
export interface ToldPeer {
  readonly id: string;
  readonly line: Pick<PeerLine, "tell">;
  /** Where it has opened tunnels to. */
  readonly opened: Set<string>;
}

/** A peer, here or elsewhere, that some of this process share a tunnel with. */
interface Neighbour {
  readonly id: string;
  readonly idBytes: Uint8Array;
  /** The highest number known of its connections; 0 while it has had none. */
  connection: number;
  /** Undefined while that connection has told none. */
  node: KnownNode | undefined;
  /** The last one known, with its bytes: one that is said again is the same object again. */
  latest: { node: KnownNode; bytes: Uint8Array } | undefined;
  readonly followers: Set<ToldPeer>;
}

/** What a peer of this process has to do with a neighbour. */
interface Link {
  readonly neighbour: Neighbour;
  /** The peer has opened a tunnel to it, in the connection with this number. */
  openedIn: number | undefined;
  /** It has opened a tunnel to the peer, in its connection with this number. */
  reachedIn: number | undefined;
  /** What was last sent to the peer. */
  told: { node: KnownNode; connection: number } | undefined;
}

/** How a peer's links are compared with what the database says of them. */
export interface Comparison {
  reason: string;
  /** What the database does not have has ended. False when it may have lost it, and will have it anew. */
  isWhole: boolean;
}

/**
 * What peers of this process may know, and what they have been told: all news is the difference. It is told in one go
 * for each peer, by {@link tellAll}.
 */
export class Neighbourhood {
  readonly #links = new Map<string, { local: ToldPeer; links: Map<string, Link> }>();
  readonly #neighbours = new Map<string, Neighbour>();
  #news = new Map<ToldPeer, { news: PeerNews[]; failure: string }>();

  /** Neighbours that are remembered. */
  get neighbourCount(): number {
    return this.#neighbours.size;
  }

  add(local: ToldPeer): void {
    this.#links.set(local.id, { local, links: new Map() });
  }

  remove(local: ToldPeer): void {
    const there = this.#links.get(local.id);
    if (there?.local !== local) return;
    this.#links.delete(local.id);
    for (const { neighbour } of there.links.values()) this.#unfollow(neighbour, local);
  }

  /** True for a peer of this process. */
  has(id: string): boolean {
    return this.#links.has(id);
  }

  /** True for a peer that one of this process shares a tunnel with. */
  follows(id: string): boolean {
    return this.#neighbours.has(id);
  }

  /** Takes note of a notice, by what was read after it had come. */
  apply(notice: Notice, facts: Facts): void {
    switch (notice.of) {
      case "join":
        this.#succeed(notice.id, notice.connection);
        break;
      case "node":
        this.#updateNode(notice.id, facts);
        break;
      case "tunnel":
        this.#addTunnel(notice.src, notice.dst, facts);
        break;
      case "removed":
        this.#removeTunnel(notice.src, notice.dst);
        break;
      case "gone":
        this.#sayGoodbye(notice);
        break;
      case "ready":
        this.#ready(notice.from, notice.to);
        break;
    }
  }

  /** Takes all links of a peer from what was read. S4.22. */
  compare(local: ToldPeer, facts: Facts, { reason, isWhole }: Comparison): void {
    const there = this.#links.get(local.id);
    if (there?.local !== local) return;
    const { opened, reached } = facts.tunnelsOf(local.id);
    for (const [id, link] of there.links) {
      const keep = isWhole ? undefined : link;
      link.openedIn = opened.get(id) ?? keep?.openedIn;
      link.reachedIn = reached.get(id) ?? keep?.reachedIn;
      const isThere = facts.peers.has(id);
      const end = isThere && link.openedIn === undefined && link.reachedIn === undefined;
      if (isWhole && (end || !isThere)) this.#tellEnd(local, link, end ? removedTunnel : goodbyes.lost);
      if (isWhole && !isThere) link.neighbour.node = undefined;
      this.#dropUnused(local, link);
    }
    for (const [id, connection] of opened) {
      local.opened.add(id);
      this.#linkTo(local, there.links, id).openedIn = connection;
    }
    for (const [id, connection] of reached) this.#linkTo(local, there.links, id).reachedIn = connection;
    for (const link of there.links.values()) {
      this.#refresh(link.neighbour, facts);
      this.#introduce(local, link, reason, tellFailures.update);
    }
  }

  /** Tells all that there is to tell. Lines may end by it. */
  tellAll(): void {
    const all = this.#news;
    this.#news = new Map();
    for (const [local, { news, failure }] of all) local.line.tell(news, failure);
  }

  /** Peers of this process go all at once: those that know each other are told. S4.23. */
  sayAllGoodbye(): void {
    for (const { local, links } of this.#links.values()) {
      for (const link of links.values()) {
        if (this.has(link.neighbour.id)) this.#tellEnd(local, link, goodbyes.closed);
      }
    }
    this.#links.clear();
    this.#neighbours.clear();
    this.tellAll();
  }

  /** All go, and nobody need be told. */
  clear(): void {
    this.#links.clear();
    this.#neighbours.clear();
    this.#news.clear();
  }

  /** A connection takes the place of the one before; partners are not told. S4.24. */
  #succeed(id: string, connection: number): void {
    const neighbour = this.#neighbours.get(id);
    if (neighbour === undefined || neighbour.connection >= connection) return;
    neighbour.connection = connection;
    neighbour.node = undefined;
  }

  /** S4.14. */
  #updateNode(id: string, facts: Facts): void {
    const neighbour = this.#neighbours.get(id);
    if (neighbour === undefined) return;
    this.#refresh(neighbour, facts);
    for (const local of neighbour.followers) {
      const link = this.#links.get(local.id)?.links.get(id);
      if (link !== undefined) this.#introduce(local, link, "node update", tellFailures.update);
    }
  }

  /** S4.15. */
  #addTunnel(src: string, dst: string, facts: Facts): void {
    const connection = facts.tunnel(src, dst);
    // it is removed again by now, and the word of that is on its way
    if (connection === undefined) return;
    const source = this.#links.get(src);
    if (source !== undefined) {
      const link = this.#linkTo(source.local, source.links, dst);
      link.openedIn = connection;
      this.#refresh(link.neighbour, facts);
      this.#introduce(source.local, link, "add tunnel", tellFailures.addToSource);
    }
    const destination = this.#links.get(dst);
    if (destination !== undefined) {
      const link = this.#linkTo(destination.local, destination.links, src);
      link.reachedIn = connection;
      this.#refresh(link.neighbour, facts);
      this.#introduce(destination.local, link, "add tunnel", tellFailures.addToDestination);
    }
  }

  /** S4.16. */
  #removeTunnel(src: string, dst: string): void {
    const source = this.#links.get(src);
    const opened = source?.links.get(dst);
    if (source !== undefined && opened !== undefined) {
      opened.openedIn = undefined;
      if (opened.reachedIn === undefined) {
        this.#tellEnd(source.local, opened, removedTunnel, tellFailures.removeFromSource);
      }
      this.#dropUnused(source.local, opened);
    }
    const destination = this.#links.get(dst);
    const reached = destination?.links.get(src);
    if (destination !== undefined && reached !== undefined) {
      reached.reachedIn = undefined;
      if (reached.openedIn === undefined) {
        this.#tellEnd(destination.local, reached, removedTunnel, tellFailures.removeFromDestination);
      }
      this.#dropUnused(destination.local, reached);
    }
  }

  /** S4.17, S4.18, S4.20. */
  #sayGoodbye({ id, connection, why }: Extract<Notice, { of: "gone" }>): void {
    const neighbour = this.#neighbours.get(id);
    if (neighbour === undefined) return;
    if (neighbour.connection <= connection) {
      neighbour.connection = connection;
      neighbour.node = undefined;
    }
    for (const local of [...neighbour.followers]) {
      const link = this.#links.get(local.id)?.links.get(id);
      if (link === undefined) continue;
      if (link.told !== undefined && link.told.connection <= connection) {
        this.#tellEnd(local, link, goodbyes[why]);
      }
      // the tunnels that it had opened have gone with it
      if (link.reachedIn !== undefined && link.reachedIn <= connection) link.reachedIn = undefined;
      this.#dropUnused(local, link);
    }
  }

  /** S4.19. */
  #ready(from: string, to: string): void {
    const there = this.#links.get(to);
    const link = there?.links.get(from);
    if (there === undefined || link === undefined) return;
    this.#tell(there.local, { id: link.neighbour.idBytes, ...readyForHandshake }, tellFailures.update);
  }

  #refresh(neighbour: Neighbour, facts: Facts): void {
    const row = facts.peers.get(neighbour.id);
    // one that is gone by now is said to be by a notice that is on its way
    if (row === undefined || row.connection < neighbour.connection) return;
    neighbour.connection = row.connection;
    neighbour.node = row.node === undefined ? undefined : knownNodeOf(neighbour, row.node);
  }

  /** Tells a peer of a neighbour's node, unless it knows it. */
  #introduce(local: ToldPeer, link: Link, reason: string, failure: string): void {
    const { node, connection, idBytes } = link.neighbour;
    if (node === undefined) return;
    const isKnown = link.told?.node === node;
    link.told = { node, connection };
    if (!isKnown) this.#tell(local, { id: idBytes, kind: PeerUpdateKind.NODE, node, reason }, failure);
  }

  #tellEnd(
    local: ToldPeer,
    link: Link,
    end: Pick<PeerNews, "kind" | "reason">,
    failure: string = tellFailures.update,
  ): void {
    if (link.told === undefined) return;
    link.told = undefined;
    this.#tell(local, { id: link.neighbour.idBytes, ...end }, failure);
  }

  #tell(local: ToldPeer, news: PeerNews, failure: string): void {
    const there = this.#news.get(local);
    if (there === undefined) this.#news.set(local, { news: [news], failure });
    else there.news.push(news);
  }

  #linkTo(local: ToldPeer, links: Map<string, Link>, id: string): Link {
    const there = links.get(id);
    if (there !== undefined) return there;
    const neighbour = this.#neighbours.get(id) ?? newNeighbour(id);
    this.#neighbours.set(id, neighbour);
    neighbour.followers.add(local);
    const link: Link = { neighbour, openedIn: undefined, reachedIn: undefined, told: undefined };
    links.set(id, link);
    return link;
  }

  #dropUnused(local: ToldPeer, link: Link): void {
    if (link.openedIn !== undefined || link.reachedIn !== undefined) return;
    this.#links.get(local.id)?.links.delete(link.neighbour.id);
    this.#unfollow(link.neighbour, local);
  }

  #unfollow(neighbour: Neighbour, local: ToldPeer): void {
    neighbour.followers.delete(local);
    if (neighbour.followers.size === 0) this.#neighbours.delete(neighbour.id);
  }
}

const byFields = { registry: createRegistry(), unknown: true };

function newNeighbour(id: string): Neighbour {
  const idBytes = parseUuid(id) ?? new Uint8Array(16);
  return { id, idBytes, connection: 0, node: undefined, latest: undefined, followers: new Set() };
}

/** Maps may be written in any order, so that equal nodes may differ in their bytes. */
function knownNodeOf(neighbour: Neighbour, bytes: Uint8Array): KnownNode {
  const { latest } = neighbour;
  if (latest !== undefined && Buffer.compare(latest.bytes, bytes) === 0) return latest.node;
  const node = fromBinary(NodeSchema, bytes);
  const isSame =
    latest?.bytes.length === bytes.length && equals(NodeSchema, latest.node.node, node, byFields);
  if (isSame) return latest.node;
  neighbour.latest = { node: { node, sizeBytes: bytes.length }, bytes };
  return neighbour.latest.node;
}
