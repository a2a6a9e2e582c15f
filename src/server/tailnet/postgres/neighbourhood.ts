import { CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind } from "../../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { KnownNode } from "../known-node.js";
import { goodbyes, readyForHandshake, removedTunnel, tellFailures } from "../news-texts.js";
import type { PeerLine } from "../peer-line.js";
import type { PeerNews } from "../response-queue.js";
import type { Facts } from "./facts.js";
import { Neighbour } from "./neighbour.js";
import type { Notice } from "./notices.js";

/** A peer of this process, as far as it is told of others. */
export interface ToldPeer {
  readonly id: string;
  readonly line: Pick<PeerLine, "tell">;
  /** Where it has opened tunnels to. */
  readonly opened: Set<string>;
}

/** What a peer of this process has to do with a neighbour. */
interface Link {
  readonly neighbour: Neighbour<ToldPeer>;
  /** The peer has opened a tunnel to it, in the connection with this number. */
  openedIn: number | undefined;
  /** It has opened a tunnel to the peer, in its connection with this number. */
  reachedIn: number | undefined;
  /** What was last sent to the peer. */
  told: { node: KnownNode; connection: number } | undefined;
}

/** A peer of this process with its links, by the ids of the neighbours. */
interface Place {
  readonly local: ToldPeer;
  readonly links: Map<string, Link>;
  /** Partners of which it was heard before it has been told of any; undefined afterwards. S4.22. */
  early: Set<string> | undefined;
}

/**
 * What peers of this process may know, and what they have been told: all news is the difference. It is told in one go
 * for each peer, by {@link tellAll}.
 */
export class Neighbourhood {
  readonly #places = new Map<string, Place>();
  readonly #neighbours = new Map<string, Neighbour<ToldPeer>>();
  #news = new Map<ToldPeer, { news: PeerNews[]; failure: string }>();

  /** Neighbours that are remembered. */
  get neighbourCount(): number {
    return this.#neighbours.size;
  }

  add(local: ToldPeer): void {
    this.#places.set(local.id, { local, links: new Map(), early: new Set() });
  }

  remove(local: ToldPeer): void {
    const there = this.#places.get(local.id);
    if (there?.local !== local) return;
    this.#places.delete(local.id);
    for (const { neighbour } of there.links.values()) this.#unfollow(neighbour, local);
  }

  /** True for a peer of this process. */
  has(id: string): boolean {
    return this.#places.has(id);
  }

  /** True for a peer that one of this process shares a tunnel with. */
  follows(id: string): boolean {
    return this.#neighbours.has(id);
  }

  /** The ids of all that some peers of this process share a tunnel with. */
  partnersOf(locals: readonly ToldPeer[]): string[] {
    return locals.flatMap(({ id }) => [...(this.#places.get(id)?.links.keys() ?? [])]);
  }

  /** Takes note of a notice, by what was read after it had come. */
  apply(notice: Notice, facts: Facts): void {
    switch (notice.of) {
      case "join":
        // the place of the one before is taken; partners are not told: S4.24
        this.#neighbours.get(notice.id)?.begin(notice.connection);
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

  /**
   * A peer is told of the partners that it had when it came, in one go; of those since then there are notices. S4.22.
   */
  begin(local: ToldPeer, facts: Facts, partners: ReadonlySet<string>): void {
    const place = this.#places.get(local.id);
    if (place?.local !== local) return;
    const { opened, reached } = facts.tunnelsOf(local.id);
    const isInitial = ([id]: [string, number]) => partners.has(id) || place.early?.has(id) === true;
    this.#addLinks(place, [...opened].filter(isInitial), [...reached].filter(isInitial));
    place.early = undefined;
    this.#introduceAll(place, facts, "init");
  }

  /**
   * Takes all links of a peer from what was read.
   * @param isWhole what was not there has ended; false when the database may have lost it, and will have it anew.
   */
  compare(local: ToldPeer, facts: Facts, isWhole: boolean): void {
    const place = this.#places.get(local.id);
    if (place?.local !== local) return;
    const { opened, reached } = facts.tunnelsOf(local.id);
    if (isWhole) this.#endMissing(place, facts);
    this.#addLinks(place, opened, reached);
    const reason = place.early === undefined ? "node update" : "init";
    place.early = undefined;
    this.#introduceAll(place, facts, reason);
  }

  /** Tells all that there is to tell. Lines may end by it. */
  tellAll(): void {
    const all = this.#news;
    this.#news = new Map();
    for (const [local, { news, failure }] of all) local.line.tell(news, failure);
  }

  /** Peers of this process go all at once: those that know each other are told. S4.23. */
  sayAllGoodbye(): void {
    for (const { local, links } of this.#places.values()) {
      for (const link of links.values()) {
        if (this.has(link.neighbour.id)) this.#tellEnd(local, link, goodbyes.closed);
      }
    }
    this.#places.clear();
    this.#neighbours.clear();
    this.tellAll();
  }

  /** All go, and nobody need be told. */
  clear(): void {
    this.#places.clear();
    this.#neighbours.clear();
    this.#news.clear();
  }

  #endMissing({ local, links }: Place, facts: Facts): void {
    const { opened, reached } = facts.tunnelsOf(local.id);
    for (const [id, link] of links) {
      link.openedIn = opened.get(id);
      link.reachedIn = reached.get(id);
      if (!facts.peers.has(id)) {
        link.neighbour.miss();
        this.#tellEnd(local, link, goodbyes.lost);
      } else if (!isInUse(link)) this.#tellEnd(local, link, removedTunnel);
      this.#dropUnused(local, link);
    }
  }

  #addLinks({ local, links }: Place, opened: Tunnels, reached: Tunnels): void {
    for (const [id, connection] of opened) {
      local.opened.add(id);
      this.#linkTo(local, links, id).openedIn = connection;
    }
    for (const [id, connection] of reached) this.#linkTo(local, links, id).reachedIn = connection;
  }

  #introduceAll({ local, links }: Place, facts: Facts, reason: string): void {
    for (const link of links.values()) {
      link.neighbour.refresh(facts.peers.get(link.neighbour.id));
      this.#introduce(local, link, reason, tellFailures.update);
    }
  }

  /** S4.14. */
  #updateNode(id: string, facts: Facts): void {
    const neighbour = this.#neighbours.get(id);
    if (neighbour === undefined) return;
    neighbour.refresh(facts.peers.get(id));
    for (const local of neighbour.followers) {
      const link = this.#places.get(local.id)?.links.get(id);
      if (link !== undefined) this.#introduce(local, link, "node update", tellFailures.update);
    }
  }

  /** S4.15. */
  #addTunnel(src: string, dst: string, facts: Facts): void {
    const connection = facts.tunnel(src, dst);
    // it is removed again by now, and the word of that is on its way
    if (connection === undefined) return;
    const source = this.#places.get(src);
    if (source?.early !== undefined) source.early.add(dst);
    else if (source !== undefined) {
      const link = this.#linkTo(source.local, source.links, dst);
      link.openedIn = connection;
      link.neighbour.refresh(facts.peers.get(link.neighbour.id));
      this.#introduce(source.local, link, "add tunnel", tellFailures.addToSource);
    }
    const destination = this.#places.get(dst);
    if (destination?.early !== undefined) destination.early.add(src);
    else if (destination !== undefined) {
      const link = this.#linkTo(destination.local, destination.links, src);
      link.reachedIn = connection;
      link.neighbour.refresh(facts.peers.get(link.neighbour.id));
      this.#introduce(destination.local, link, "add tunnel", tellFailures.addToDestination);
    }
  }

  /** S4.16. */
  #removeTunnel(src: string, dst: string): void {
    const source = this.#places.get(src);
    const opened = source?.links.get(dst);
    if (source !== undefined && opened !== undefined) {
      opened.openedIn = undefined;
      if (opened.reachedIn === undefined) {
        this.#tellEnd(source.local, opened, removedTunnel, tellFailures.removeFromSource);
      }
      this.#dropUnused(source.local, opened);
    }
    const destination = this.#places.get(dst);
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
    neighbour.end(connection);
    for (const local of [...neighbour.followers]) {
      const link = this.#places.get(local.id)?.links.get(id);
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
    const there = this.#places.get(to);
    const link = there?.links.get(from);
    if (there === undefined || link === undefined) return;
    this.#tell(there.local, { id: link.neighbour.idBytes, ...readyForHandshake }, tellFailures.update);
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
    const neighbour = this.#neighbours.get(id) ?? new Neighbour<ToldPeer>(id);
    this.#neighbours.set(id, neighbour);
    neighbour.followers.add(local);
    const link: Link = { neighbour, openedIn: undefined, reachedIn: undefined, told: undefined };
    links.set(id, link);
    return link;
  }

  #dropUnused(local: ToldPeer, link: Link): void {
    if (isInUse(link)) return;
    this.#places.get(local.id)?.links.delete(link.neighbour.id);
    this.#unfollow(link.neighbour, local);
  }

  #unfollow(neighbour: Neighbour<ToldPeer>, local: ToldPeer): void {
    neighbour.followers.delete(local);
    if (neighbour.followers.size === 0) this.#neighbours.delete(neighbour.id);
  }
}

/** The other ends of tunnels, with connections. */
type Tunnels = Iterable<[string, number]>;

function isInUse({ openedIn, reachedIn }: Link): boolean {
  return openedIn !== undefined || reachedIn !== undefined;
}
