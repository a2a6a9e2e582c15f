import type { PeerRow, TunnelRow } from "./statements.js";

/** How a peer is. */
export interface PeerFact {
  connection: number;
  /** As it is on the wire; undefined when it has told none. */
  node: Uint8Array | undefined;
}

/** The other ends of one peer's tunnels, each with the connection in which its source opened it. */
export interface PeerTunnels {
  opened: Map<string, number>;
  reached: Map<string, number>;
}

/** What was read from the database at one time. */
export class Facts {
  readonly peers = new Map<string, PeerFact>();
  readonly #bySource = new Map<string, Map<string, number>>();
  readonly #byDestination = new Map<string, Map<string, number>>();

  addTunnels(rows: readonly TunnelRow[]): void {
    for (const { src, dst, connection } of rows) {
      mapOf(this.#bySource, src).set(dst, Number(connection));
      mapOf(this.#byDestination, dst).set(src, Number(connection));
    }
  }

  addPeers(rows: readonly PeerRow[]): void {
    for (const { id, connection, node } of rows) {
      this.peers.set(id, { connection: Number(connection), node: node ?? undefined });
    }
  }

  /** The connection in which a tunnel was opened; undefined when there is none. */
  tunnel(src: string, dst: string): number | undefined {
    return this.#bySource.get(src)?.get(dst);
  }

  tunnelsOf(id: string): PeerTunnels {
    return {
      opened: this.#bySource.get(id) ?? new Map(),
      reached: this.#byDestination.get(id) ?? new Map(),
    };
  }

  /** All peers that are at the end of a tunnel. */
  get ends(): Set<string> {
    return new Set([...this.#bySource.keys(), ...this.#byDestination.keys()]);
  }
}

function mapOf(maps: Map<string, Map<string, number>>, id: string): Map<string, number> {
  const there = maps.get(id) ?? new Map<string, number>();
  maps.set(id, there);
  return there;
}
