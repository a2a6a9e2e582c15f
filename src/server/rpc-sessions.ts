import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import { type WebSocket, WebSocketServer } from "ws";
import type { MessageCodecs } from "../codec/index.js";
import {
  createRpcTable,
  type Routes,
  type RpcError,
  type RpcTable,
  type ServeOptions,
  serveStream,
} from "../rpc/index.js";
import {
  type ByteConnection,
  type ConnectionObserver,
  createYamuxSession,
  type TransportError,
  type YamuxOptions,
  type YamuxSession,
} from "../transport/index.js";
import { wsConnection } from "../transport/ws-node.js";
import { strictTables } from "./strict-versions.js";

/** What is known of a request that becomes a session. */
export interface SessionFacts {
  /** As the client wrote it, or what is assumed where it wrote none. */
  apiVersion: string;
  remoteAddress: string | undefined;
}

/** A session, with what was known when it began. */
export type Served<Facts> = Facts & { session: YamuxSession };

/** How sessions are served. */
export interface RpcSessionsOptions<Facts> {
  /** Registers the handlers. */
  routes: Routes | RpcTable;
  /** Around all handlers that `routes` registers as a function. */
  interceptors?: Interceptor[];
  /** Generated codecs, where `routes` is a function; protobuf-es for messages that they do not have. */
  codecs?: MessageCodecs;
  /** Whether a session has no more than its version promises; false by default. S1.19. */
  strictVersions?: boolean;
  /** What the handlers of a session get as `context.values`. */
  contextValues?(session: Served<Facts>): ContextValues;
  /** Called for each session; what it returns is called at its end. */
  onSession?(session: Served<Facts>): ((end: TransportError) => void) | undefined;
  /** Told of each stream that a peer broke. */
  onProtocolError?(error: RpcError, session: Served<Facts>): void;
  /** Makes the connection of a WebSocket that has just opened; `wsConnection` by default. */
  connect?(webSocket: WebSocket, name: string): ByteConnection;
  /** Largest message of a call in bytes; 4 MiB by default. */
  maxMessageBytes?: number;
  /** Largest WebSocket message to accept, in bytes; 16 MiB by default. */
  maxWebSocketMessageBytes?: number;
  yamux?: YamuxOptions;
  /** Looks on at each connection; none by default. */
  observer?: ConnectionObserver | undefined;
}

const defaultMaxWebSocketMessageBytes = 16 * 1024 * 1024;

/** Sessions of one kind: requests that have been let in become WebSockets with yamux and dRPC on them. */
export class RpcSessions<Facts extends SessionFacts> {
  readonly #options: RpcSessionsOptions<Facts>;
  /** The handlers for a session's version. */
  readonly #tableFor: (apiVersion: string) => RpcTable;
  readonly #upgrader: WebSocketServer;
  readonly #open = new Set<YamuxSession>();
  #isClosed = false;

  constructor(options: RpcSessionsOptions<Facts>) {
    this.#options = options;
    const { routes, interceptors = [], codecs, strictVersions = false } = options;
    const table = typeof routes === "function" ? createRpcTable(routes, { interceptors, codecs }) : routes;
    this.#tableFor = strictVersions ? strictTables(table) : () => table;
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxWebSocketMessageBytes ?? defaultMaxWebSocketMessageBytes,
      handleProtocols: () => false,
    });
  }

  /** Sessions that are open. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Makes a session of a request for an upgrade that nothing speaks against: see `upgradeRefusal`.
   * @returns false when no more are taken, or the client has left; the socket stays the caller's then.
   */
  begin(request: IncomingMessage, socket: Duplex, head: Buffer, facts: Facts): boolean {
    if (this.#isClosed || socket.destroyed) return false;
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => this.#serve(webSocket, facts));
    return true;
  }

  /**
   * Ends all sessions in order and takes no more.
   * @param timeoutMs how long to wait for calls under way; 0 by default.
   */
  async close(timeoutMs = 0): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open].map((session) => session.close(timeoutMs)));
  }

  #serve(webSocket: WebSocket, facts: Facts): void {
    const { connect = wsConnection, onSession, yamux, observer } = this.#options;
    const made = connect(webSocket, facts.remoteAddress ?? "WebSocket");
    const connection = observer?.(made, "server") ?? made;
    const table = this.#tableFor(facts.apiVersion);
    const session = createYamuxSession(connection, {
      role: "server",
      ...yamux,
      onStream: (stream) => serveStream(stream, table, serveOptions),
    });
    const served: Served<Facts> = { ...facts, session };
    const serveOptions = this.#serveOptions(served);
    let onEnd: ((end: TransportError) => void) | undefined;
    this.#open.add(session);
    session.closed.then((end) => {
      this.#open.delete(session);
      onEnd?.(end);
    });
    try {
      onEnd = onSession?.(served);
    } catch (error) {
      void session.close();
      throw error;
    }
  }

  #serveOptions(served: Served<Facts>): ServeOptions {
    const { maxMessageBytes, contextValues, onProtocolError } = this.#options;
    return {
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
      ...(contextValues === undefined ? {} : { contextValues: contextValues(served) }),
      onProtocolError: (error) => onProtocolError?.(error, served),
    };
  }
}
