import type { DERPMap } from "../../gen/coder/tailnet/v2/derp_map_pb.js";
import { asError } from "../../rpc/error-text.js";
import { isUnimplemented } from "../../rpc/index.js";
import { newestVersion } from "../../version/index.js";
import type { SocketOpener } from "../dial/socket-opener.js";
import { DialError } from "../http/request-errors.js";
import type { DropCounts } from "../senders/drops.js";
import { Backoff } from "../session/backoff.js";
import { isVersionRefusal } from "../session/final-answers.js";
import { Session } from "../session/session.js";
import type { SessionState } from "../session/states.js";
import { TimeLimit } from "../time-limit.js";
import { uuidOption } from "../uuid-option.js";
import { Coordination } from "./coordination.js";
import type { TailnetNodeInit } from "./coordination-stream.js";
import { dialTailnetWith, tailnetUrl } from "./dial-tailnet.js";
import { FirstRefusals, isResumeTokenRefusal, withAdvice } from "./first-refusals.js";
import { Followed, type Following } from "./followed.js";
import type {
  NetworkConnection,
  TailnetEnd,
  TailnetNetwork,
  TailnetNetworkOptions,
} from "./network-options.js";
import { notifier } from "./notices.js";
import type { TailnetPeers } from "./peers.js";
import { followDerpMaps } from "./relay-maps.js";
import { ResumeToken } from "./resume-token.js";
import { SharedFate, type TailnetClient, type Work } from "./shared-fate.js";
import type { TailnetVersionText } from "./tailnet-options.js";
import { Telemetry, type TelemetryEventInit } from "./telemetry.js";
import { type FollowedWorkspaces, followWorkspaces } from "./workspaces.js";

/** What there has always been. */
const firstVersion = "2.0";
/** Workspaces can be followed since then. C9.14. */
const workspacesVersion: TailnetVersionText = "2.3";
/** How long the first state of workspaces may keep a connection that is to be given up. */
const upToDateMs = 1000;

/**
 * Begins to keep in touch, with the WebSockets of a runtime.
 * @throws TypeError when the URL is none, or the agent's id no UUID; RangeError when `goodbyeMs` is no time to wait.
 */
export function connectTailnetWith(opener: SocketOpener, options: TailnetNetworkOptions): TailnetNetwork {
  // a mistake of the caller's is told to the caller
  tailnetUrl(options, newestVersion);
  return new Network(opener, options);
}

class Network implements TailnetNetwork {
  readonly ended: Promise<TailnetEnd>;
  readonly #options: TailnetNetworkOptions;
  readonly #opener: SocketOpener;
  readonly #fate = new SharedFate();
  readonly #coordination: Coordination;
  readonly #peering: Work = { over: (tailnet, signal) => this.#coordinate(tailnet, signal) };
  readonly #resume: ResumeToken;
  readonly #telemetry: Telemetry;
  readonly #session: Session<NetworkConnection>;
  #relays: Followed<DERPMap> | undefined;
  readonly #workspaces = new Map<string, Followed<FollowedWorkspaces>>();
  /** Of the connection that was made last. */
  #version: TailnetVersionText | typeof firstVersion | undefined;
  #hasHadWorkspaces = false;
  #end: TailnetEnd | undefined;

  constructor(opener: SocketOpener, options: TailnetNetworkOptions) {
    this.#opener = opener;
    this.#options = options;
    const onNotice = notifier((notice) => options.onNotice?.(notice));
    const { goodbyeMs } = options;
    this.#coordination = new Coordination({ onNotice, ...(goodbyeMs !== undefined && { goodbyeMs }) });
    this.#resume = new ResumeToken(onNotice);
    this.#telemetry = new Telemetry(onNotice);
    this.#fate.add(this.#resume);
    this.#fate.add(this.#telemetry);
    this.#session = new Session<NetworkConnection>({
      dial: (signal) => this.#dial(signal),
      onConnected: ({ tailnet }, signal) => this.#fate.over(tailnet, signal),
      senders: [],
      agentOf: () => {
        throw new Error("this connection has no calls of agents");
      },
      // a connection that was made ends the curve (C9.12); those that lost it together do not come back together
      backoff: new Backoff({ firstMs: 50, maxMs: 10_000, healthyAfterMs: 0, ...options.backoff }),
      finalAnswers: new FirstRefusals(),
      signal: options.signal,
    });
    this.ended = this.#session.ended.then(({ error }) => this.#over({ error }));
  }

  setNode(node: TailnetNodeInit): void {
    this.#coordination.setNode(node);
    this.#fate.add(this.#peering);
  }

  get tunnels(): ReadonlySet<string> {
    return this.#coordination.tunnels;
  }

  addTunnel(agentId: string): void {
    this.#coordination.addTunnel(agentId);
    this.#fate.add(this.#peering);
  }

  removeTunnel(agentId: string): void {
    this.#coordination.removeTunnel(agentId);
  }

  syncTunnels(agentIds: Iterable<string>): void {
    this.#coordination.syncTunnels(agentIds);
    this.#fate.add(this.#peering);
  }

  peers(signal?: AbortSignal): AsyncIterableIterator<TailnetPeers> {
    this.#fate.add(this.#peering);
    return this.#coordination.peers(signal);
  }

  async *derpMaps(signal?: AbortSignal): AsyncGenerator<DERPMap, void, undefined> {
    if (signal?.aborted) return;
    this.#relays ??= this.#followed({
      over: (tailnet, end) => followDerpMaps(tailnet, { url: this.#relayUrl, signal: end }),
      isFinal: isUnimplemented,
      onOver: () => {
        this.#relays = undefined;
      },
    });
    yield* this.#relays.read(signal);
  }

  workspaces(ownerId: string, signal?: AbortSignal): AsyncIterableIterator<FollowedWorkspaces> {
    return this.#readWorkspaces(uuidOption("ownerId", ownerId), signal);
  }

  reportTelemetry(event: TelemetryEventInit): void {
    this.#telemetry.report(event);
  }

  get droppedTelemetry(): DropCounts {
    return this.#telemetry.dropped;
  }

  get state(): SessionState<NetworkConnection> {
    return this.#session.state;
  }

  states(signal?: AbortSignal): AsyncIterableIterator<SessionState<NetworkConnection>> {
    return this.#session.states(signal);
  }

  connected(signal?: AbortSignal): Promise<NetworkConnection> {
    return this.#session.connected(signal);
  }

  reconnect(reason?: string): void {
    this.#session.reconnect(reason);
  }

  async close(options?: { timeoutMs?: number }): Promise<TailnetEnd> {
    await this.#session.close(options);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#readWorkspaces(
    ownerId: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<FollowedWorkspaces, void, undefined> {
    if (signal?.aborted) return;
    let followed = this.#workspaces.get(ownerId);
    if (followed === undefined) {
      followed = this.#followed({
        over: (tailnet, end) => followWorkspaces(tailnet, ownerId, end),
        // one that was dialled with an older version is given up for another
        isFinal: (error) => isUnimplemented(error) && this.#version === workspacesVersion,
        onOver: () => void this.#workspaces.delete(ownerId),
      });
      this.#workspaces.set(ownerId, followed);
    }
    yield* followed.read(signal);
  }

  /**
   * Its end ends the connection, but not before there was time to hear which agents there are: a server ends it where
   * a tunnel is wanted to one that is gone, on each connection, until somebody who hears of that wants it no more.
   */
  async #coordinate(tailnet: TailnetClient, signal: AbortSignal): Promise<void> {
    try {
      await this.#coordination.over(tailnet, signal);
    } catch (error) {
      const limit = new TimeLimit(upToDateMs, signal);
      const all = [...this.#workspaces.values()].map((followed) => followed.upToDate(limit.signal));
      await Promise.all(all).catch(() => {});
      limit.release();
      throw error;
    }
  }

  #followed<T>(following: Following<T>): Followed<T> {
    const followed = new Followed(this.#fate, following);
    if (this.#end !== undefined) followed.end(this.#end.error);
    return followed;
  }

  /** Where the embedded relay is. */
  get #relayUrl(): string | URL | undefined {
    return this.#options.rewriteRelays === false ? undefined : this.#options.url;
  }

  async #dial(signal: AbortSignal): Promise<NetworkConnection> {
    // who begins to read in the turn of the first dial is in it
    await Promise.resolve();
    // C9.14
    const version = this.#workspaces.size > 0 ? workspacesVersion : firstVersion;
    const resumeToken = this.#resume.offered;
    try {
      const known = resumeToken === undefined ? {} : { resumeToken };
      const connection = await dialTailnetWith(this.#opener, { ...this.#options, ...known, version, signal });
      this.#version = version;
      this.#hasHadWorkspaces ||= version === workspacesVersion;
      // versions do not gate calls (C1.25)
      return connection as NetworkConnection;
    } catch (error) {
      if (isResumeTokenRefusal(error) || this.#mayBeRefusal(error)) this.#resume.forget();
      const advised = withAdvice(error, this.#options);
      // a server that once had the version is in the middle of something, and will have it again
      if (isVersionRefusal(error) && !this.#hasHadWorkspaces) this.#endWorkspaces(asError(advised));
      throw advised;
    }
  }

  #endWorkspaces(error: Error | undefined): void {
    for (const followed of [...this.#workspaces.values()]) followed.end(error);
  }

  /** Some runtimes do not show why a dial was refused: better another peer id than none. */
  #mayBeRefusal(error: unknown): boolean {
    return this.#opener.check !== undefined && error instanceof DialError && error.status === undefined;
  }

  #over(end: TailnetEnd): TailnetEnd {
    this.#end = end;
    void this.#coordination.close(end.error);
    this.#relays?.end(end.error);
    this.#endWorkspaces(end.error);
    return end;
  }
}
