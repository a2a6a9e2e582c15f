import type { Client } from "@connectrpc/connect";
import { defaultMaxPacketBytes } from "../../codec/index.js";
import { tailnetCallerCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { type CoordinateResponse, Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { callerSide } from "../../rpc/method.js";
import { msOption } from "../senders/intervals.js";
import { SessionClosing } from "../session/session-closing.js";
import { uuidOption } from "../uuid-option.js";
import { CoordinationStream, type TailnetNodeInit } from "./coordination-stream.js";
import { Latest } from "./latest.js";
import { notifier, type TailnetNotice } from "./notices.js";
import { PeerTable, type TailnetPeers } from "./peers.js";
import { streamEnd } from "./stream-end.js";

/** How a {@link Coordination} behaves. */
export interface CoordinationOptions {
  /**
   * True for an agent: it tells its peers that it has their nodes, and opens no tunnels. False by default, for
   * clients. C9.5.
   */
  acknowledge?: boolean;
  /** Told what the server complains of; by default nobody is. What it throws is not heard. C9.3. */
  onNotice?(notice: TailnetNotice): void;
  /** After a goodbye: how long the server has to end the stream, in milliseconds. 1,000 by default. C9.12. */
  goodbyeMs?: number;
}

/**
 * One side of the coordination of peers, over one connection after the other: what is set here is said on each of
 * them, and what the server says of others is in `peers`. Run it once for each connection:
 *
 * ```ts
 * const coordination = new Coordination({ acknowledge: true });
 * coordination.setNode(node);
 * connectAgent({ url, token, onConnected: ({ tailnet }, signal) => coordination.over(tailnet, signal) });
 * ```
 */
export class Coordination {
  readonly #options: CoordinationOptions;
  readonly #notify: (notice: TailnetNotice) => void;
  readonly #goodbyeMs: number;
  readonly #wanted = new Set<string>();
  readonly #table: PeerTable;
  readonly #peers = new Latest<TailnetPeers>();
  #node: TailnetNodeInit | undefined;
  #present: { stream: CoordinationStream; leave: () => void; over: Promise<void> } | undefined;
  #isClosed = false;

  /** @throws RangeError when `goodbyeMs` is no time to wait. */
  constructor(options: CoordinationOptions = {}) {
    this.#options = options;
    this.#notify = notifier((notice) => options.onNotice?.(notice));
    this.#goodbyeMs = msOption("goodbyeMs", options.goodbyeMs, 1000);
    this.#table = new PeerTable(this.#wanted, options.acknowledge === true);
    this.#tellOfPeers();
  }

  /**
   * Sets this side's own node: it is said now, and on each further connection. It must not be changed later. C9.1.
   * @throws RpcError when it cannot be encoded: no connection could ever say it.
   */
  setNode(node: TailnetNodeInit): void {
    callerSide(Tailnet.method.coordinate, tailnetCallerCodecs).encode(
      { updateSelf: { node } },
      defaultMaxPacketBytes,
    );
    this.#node = node;
    this.#present?.stream.setNode(node);
  }

  /** The agents that tunnels are wanted to, by id. */
  get tunnels(): ReadonlySet<string> {
    return new Set(this.#wanted);
  }

  /**
   * Wants a tunnel to an agent. Does nothing when there is one. C9.6.
   * @throws TypeError when the id is no UUID; Error on the side of an agent, which servers refuse tunnels.
   */
  addTunnel(agentId: string): void {
    if (this.#options.acknowledge) throw new Error("agents open no tunnels: the other side does");
    const id = uuidOf(agentId);
    if (this.#wanted.has(id)) return;
    this.#wanted.add(id);
    this.#present?.stream.addTunnel(id);
  }

  /** Wants a tunnel no more. Does nothing when there is none. @throws TypeError when the id is no UUID. */
  removeTunnel(agentId: string): void {
    const id = uuidOf(agentId);
    if (!this.#wanted.delete(id)) return;
    this.#present?.stream.removeTunnel(id);
    if (this.#table.unwanted(id)) this.#tellOfPeers();
  }

  /** Wants tunnels to exactly these agents: only differences are said, new ones first. @throws as `addTunnel`. */
  syncTunnels(agentIds: Iterable<string>): void {
    const ids = new Set([...agentIds].map(uuidOf));
    for (const id of ids) this.addTunnel(id);
    for (const id of [...this.#wanted]) if (!ids.has(id)) this.removeTunnel(id);
  }

  /**
   * The peers that the server tells of, at once and then after each change; a slow reader gets the latest only. Ends
   * with the signal, and with {@link close}.
   */
  peers(signal?: AbortSignal): AsyncIterableIterator<TailnetPeers> {
    return this.#peers.read(signal);
  }

  /**
   * Coordinates over one connection. When the signal ends because a session closes, or {@link close} is called, it
   * says goodbye and waits for the server to end the stream; when the signal ends for any other reason it says
   * nothing, and the others keep trying to reach this side. C9.2, C4.57.
   * @returns after a goodbye; at once, with nothing said, after {@link close}.
   * @throws RpcError `read: …` at any other end of the stream, EOF included, and `update peers: …` when what the
   * server said makes no sense: the connection must be given up. The signal's reason when that ends. Error when it
   * runs already.
   */
  async over(tailnet: Pick<Client<typeof Tailnet>, "coordinate">, signal: AbortSignal): Promise<void> {
    if (this.#present !== undefined) throw new Error("the coordination runs already: end that run first");
    signal.throwIfAborted();
    if (this.#isClosed) return;
    const stream = new CoordinationStream(this.#node, this.#wanted);
    const call = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const leave = () => {
      stream.leave();
      timer ??= setTimeout(() => call.abort(), this.#goodbyeMs);
    };
    const onAbort = () => (signal.reason instanceof SessionClosing ? leave() : call.abort(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    const over = this.#read(tailnet, stream, call.signal);
    this.#present = { stream, leave, over: over.catch(() => {}) };
    try {
      await over;
    } catch (error) {
      if (stream.isLeaving) return;
      signal.throwIfAborted();
      throw error;
    } finally {
      this.#present = undefined;
      signal.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    }
  }

  /**
   * Says goodbye where it runs, and ends what reads {@link peers}. It says nothing on further connections.
   * @param error what readers get, if any.
   */
  async close(error?: Error): Promise<void> {
    this.#isClosed = true;
    this.#present?.leave();
    await this.#present?.over;
    this.#peers.end(error);
  }

  /** @throws RpcError when the stream has ended; it has nothing more to say of peers then. C9.4. */
  async #read(
    tailnet: Pick<Client<typeof Tailnet>, "coordinate">,
    stream: CoordinationStream,
    signal: AbortSignal,
  ): Promise<never> {
    let complaint = "";
    let doing = "read";
    let cause: unknown;
    try {
      for await (const response of tailnet.coordinate(stream.requests(), { signal })) {
        if (response.error !== "") complaint = this.#noticed(response.error);
        doing = "update peers";
        const nodesOf = this.#apply(response);
        doing = "read";
        if (this.#options.acknowledge && nodesOf.size > 0) await stream.acknowledge([...nodesOf], signal);
      }
    } catch (error) {
      cause = error;
    } finally {
      stream.end();
      this.#table.loseAll();
      this.#tellOfPeers();
    }
    const said = complaint === "" ? doing : `${doing}: the server said "${complaint}"`;
    throw streamEnd(said, "Coordinate", cause);
  }

  /** @returns the peers whose nodes are in it. */
  #apply({ peerUpdates }: CoordinateResponse): Set<string> {
    const nodesOf = new Set<string>();
    if (peerUpdates.length === 0) return nodesOf;
    try {
      for (const update of peerUpdates) {
        const id = this.#table.apply(update);
        if (id !== undefined) nodesOf.add(id);
      }
    } finally {
      this.#tellOfPeers();
    }
    return nodesOf;
  }

  /** @returns the text, when it is one that a stream ends after. */
  #noticed(text: string): string {
    const isWarning = text.startsWith("ready for handshake error");
    this.#notify({ level: isWarning ? "warning" : "error", text });
    return isWarning ? "" : text;
  }

  #tellOfPeers(): void {
    this.#peers.set(() => this.#table.snapshot());
  }
}

function uuidOf(agentId: string): string {
  return uuidOption("an agent's id", agentId);
}
