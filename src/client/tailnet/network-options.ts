import type { DERPMap } from "../../gen/coder/tailnet/v2/derp_map_pb.js";
import type { NodeSocketOptions, WebSocketOptions } from "../dial/dial-options.js";
import type { TailnetConnection } from "../dial/tailnet-connection.js";
import type { DropCounts } from "../senders/drops.js";
import type { BackoffOptions } from "../session/backoff.js";
import type { SessionState } from "../session/states.js";
import type { TailnetNodeInit } from "./coordination-stream.js";
import type { TailnetNotice } from "./notices.js";
import type { TailnetPeers } from "./peers.js";
import type { TailnetDialOptions, TailnetVersionText } from "./tailnet-options.js";
import type { TelemetryEventInit } from "./telemetry.js";
import type { FollowedWorkspaces } from "./workspaces.js";

/** How to stay in touch with the tailnet service. */
export interface TailnetNetworkOptions
  extends Omit<TailnetDialOptions, "version" | "resumeToken" | "defaultTimeoutMs"> {
  /** Ends it at once, without a goodbye: for an end in order there is `close`. */
  signal?: AbortSignal;

  /**
   * How long to wait before dialling again: `firstMs` is 50 by default, and after every connection that was lost the
   * curve begins anew, with `spreadMs`. C9.12.
   */
  backoff?: BackoffOptions;

  /**
   * Told what the server complains of, and what went wrong beside the streams; by default nobody is. What it throws is
   * not heard.
   */
  onNotice?(notice: TailnetNotice): void;

  /** After a goodbye: how long the server has to end the stream, in milliseconds. 1,000 by default. C9.12. */
  goodbyeMs?: number;

  /** Whether the embedded relay of maps is put where `url` says that the control plane is. True by default. C1.58. */
  rewriteRelays?: boolean;

  /**
   * The release of your program, for the advice that goes with the refusal of a server of another; `"agentwire"` by
   * default. C9.16.
   */
  clientVersion?: string;
}

/** The same on Node. */
export interface NodeTailnetNetworkOptions extends TailnetNetworkOptions, NodeSocketOptions {}

/** The same in browsers. */
export interface WebTailnetNetworkOptions extends TailnetNetworkOptions, WebSocketOptions {}

/** The connections of a {@link TailnetNetwork}. */
export type NetworkConnection = TailnetConnection<TailnetVersionText>;

/** How it ended. */
export interface TailnetEnd {
  /** Why, unless it was closed. */
  error: Error | undefined;
}

/**
 * A user's side of the private network with agents, over as many connections as it takes. What is set stays set: it is
 * said again on each connection. What is read is the latest state, at once where there is one, and for any number of
 * readers; reading ends with its signal or with the network, and throws why where that was an error, or where the server
 * does not have what is read: then the network goes on. A call is made only for what is used.
 */
export interface TailnetNetwork extends AsyncDisposable {
  /** Sets this side's own node. It must not be changed later. C9.1. @throws RpcError when it cannot be encoded. */
  setNode(node: TailnetNodeInit): void;

  /** The agents that tunnels are wanted to, by id. */
  readonly tunnels: ReadonlySet<string>;

  /** Wants a tunnel to an agent, which is told of this side's node then. C9.6. @throws TypeError when the id is no UUID. */
  addTunnel(agentId: string): void;

  /** Wants a tunnel no more. @throws TypeError when the id is no UUID. */
  removeTunnel(agentId: string): void;

  /** Wants tunnels to exactly these agents: only differences are said. @throws TypeError when an id is no UUID. */
  syncTunnels(agentIds: Iterable<string>): void;

  /** The peers that the server tells of. */
  peers(signal?: AbortSignal): AsyncIterableIterator<TailnetPeers>;

  /** The relay map. */
  derpMaps(signal?: AbortSignal): AsyncIterableIterator<DERPMap>;

  /** The workspaces of an owner, with their agents: always all. @throws TypeError when the id is no UUID. */
  workspaces(ownerId: string, signal?: AbortSignal): AsyncIterableIterator<FollowedWorkspaces>;

  /**
   * Tells the server of an event, at most once, and not at all while there is no connection, or one whose server takes
   * none. C9.9.
   */
  reportTelemetry(event: TelemetryEventInit): void;

  /** Events that were not told: `not_taken` by the server, or `queue_full` of those before. */
  readonly droppedTelemetry: DropCounts;

  /** Where it is now. */
  readonly state: SessionState<NetworkConnection>;

  /** Where it is now, and each change; the last is `stopped`. A reader more than 64 changes behind misses the oldest. */
  states(signal?: AbortSignal): AsyncIterableIterator<SessionState<NetworkConnection>>;

  /**
   * The connection, as soon as there is one.
   * @throws why it has stopped, when it has; the signal's reason when that ends first.
   */
  connected(signal?: AbortSignal): Promise<NetworkConnection>;

  /** Gives the present connection up, without a goodbye, and dials again. */
  reconnect(reason?: string): void;

  /** Resolves when it has ended. Never rejects. */
  readonly ended: Promise<TailnetEnd>;

  /**
   * Says goodbye, so that agents forget this side at once, and closes.
   * @param options.timeoutMs for all of that; 5,000 by default.
   */
  close(options?: { timeoutMs?: number }): Promise<TailnetEnd>;
}
