import type { CoordinateRequest, CoordinateResponse } from "../../gen/coder/tailnet/v2/tailnet_pb.js";

/** Somebody who wants to know the nodes of others and tell its own. */
export interface Peer {
  /** A UUID. That of an agent is the agent's id. */
  readonly id: string;
  /** For logs and people, such as `ada-dev-main`, or `client`. */
  readonly name: string;
  /**
   * Says whether the peer may say all that is in a request. S4.10, S4.12, S4.13.
   * @throws Error with why not; its text goes to the peer, after `authorization: `, and its stream ends.
   */
  authorize(request: CoordinateRequest): void | Promise<void>;
}

/** The two directions of one peer's Coordinate call. */
export interface Coordination {
  /**
   * What the peer may know, as it comes: at most 1,024 updates in a message, and no message larger than the peers
   * accept. Ends when the peer is out, for whatever reason; never fails. S4.11, S4.22.
   */
  readonly responses: AsyncIterableIterator<CoordinateResponse, undefined>;
  /** Takes what the peer says, in order. Resolves when there is room for more; after the end it does nothing. */
  send(request: CoordinateRequest): Promise<void>;
  /**
   * The peer says no more: it is lost to the others, unless it has said goodbye. Does nothing after the end.
   * @param cause sent to it as `error`, when there is one. S4.18.
   */
  end(cause?: string): void;
}

/**
 * Who knows whom: peers, the tunnels between them, and their nodes. A peer is told of exactly those that it shares a
 * tunnel with. S4.9–S4.25.
 */
export interface Coordinator {
  /** A peer arrives. One that is here already with the same id has to go. S4.24. */
  coordinate(peer: Peer): Coordination;
  /** Peers that are connected to this process. */
  readonly peerCount: number;
  /** Sends everybody home. S4.23. */
  close(): Promise<void>;
}

/**
 * Bounds on what one peer can make a coordinator keep. What waits is bounded apart from the first news to a peer, which
 * are the nodes of all its partners.
 */
export interface CoordinatorLimits {
  /** Requests that wait to be handled; the peer's stream is not read meanwhile. 32 by default. S4.9. */
  maxQueuedRequests?: number;
  /**
   * Answers that wait for the peer; one that has more to take is cut off. News that wait share answers. 512 by
   * default. S4.9, S4.21.
   */
  maxQueuedResponses?: number;
  /** Bytes of answers that wait for the peer; likewise. 8 MiB by default. */
  maxQueuedBytes?: number;
  /** Largest answer in bytes, unless a single node is larger; 1 MiB by default, well within what peers accept. */
  maxResponseBytes?: number;
  /** Largest node of a peer in bytes; a larger one ends its stream. 256 KiB by default: nodes have a few hundred. */
  maxNodeBytes?: number;
  /** Tunnels that one peer may have opened; one more ends its stream. 10,000 by default. */
  maxTunnelsPerPeer?: number;
}

/** The limits with their defaults. */
export function resolveLimits(limits: CoordinatorLimits = {}): Required<CoordinatorLimits> {
  const { maxQueuedRequests = 32, maxQueuedResponses = 512, maxTunnelsPerPeer = 10_000 } = limits;
  const { maxQueuedBytes = 8 * 1024 * 1024, maxResponseBytes = 1024 * 1024 } = limits;
  const { maxNodeBytes = 256 * 1024 } = limits;
  return {
    maxQueuedRequests,
    maxQueuedResponses,
    maxTunnelsPerPeer,
    maxQueuedBytes,
    maxResponseBytes,
    maxNodeBytes,
  };
}
