import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import type { MessageCodecs } from "../codec/index.js";
import type { Routes, RpcError, RpcTable } from "../rpc/index.js";
import type { ConnectionObserver, TransportError, YamuxOptions, YamuxSession } from "../transport/index.js";
import type { ApiVersion } from "../version/index.js";
import { serverCloses, Waits } from "./answer-waits.js";
import { ApiError, asApiError } from "./api-error.js";
import { type DialRequest, dialRequestOf } from "./dial-request.js";
import { type AnswerTo, errorAnswer, type HttpAnswer, sendAnswer } from "./http/answer.js";
import { attachHandlers, type NodeServer } from "./http/attach.js";
import { ClientLeft, clientPresence } from "./http/client-left.js";
import type { ReachedAt } from "./reached-at.js";
import { requestedVersion } from "./requested-version.js";
import { RpcSessions } from "./rpc-sessions.js";
import { upgradeRefusal } from "./upgrade-check.js";

/** Where agents dial. */
export const defaultRpcPath = "/api/v2/workspaceagents/me/rpc";

/** A session that has begun. */
export interface RpcSession<Identity> {
  identity: Identity;
  /** As the client wrote it, such as `2.10`; `2.0` where it wrote none. */
  apiVersion: string;
  /** As the client wrote it; an empty text where it wrote none, which means `agent`. */
  role: string;
  remoteAddress: string | undefined;
  /** Where the client reached this server, as its request says; undefined where it says nothing of use. */
  reachedAt?: ReachedAt | undefined;
  session: YamuxSession;
}

/** How dRPC is served over WebSocket. */
export interface RpcEndpointOptions<Identity> {
  /** Says who dials. Throw an `ApiError` to refuse; any other error is answered with 500, without its text. */
  authenticate(request: DialRequest): Identity | Promise<Identity>;
  /**
   * How long `authenticate` may take, in milliseconds; 30,000 by default. The request is answered with 503 then, and
   * its `signal` ends.
   */
  authenticateTimeoutMs?: number;
  /** Registers the handlers; the same function as for any Connect server. */
  routes: Routes | RpcTable;
  interceptors?: Interceptor[];
  /**
   * Generated codecs, such as `agentCodecs`, where `routes` is a function. protobuf-es is used for messages that they
   * do not know, and by default for all.
   */
  codecs?: MessageCodecs;
  /** `/api/v2/workspaceagents/me/rpc` by default. */
  path?: string;
  /** The newest version to serve; older ones are served too. 2.10 by default. */
  serverVersion?: ApiVersion;
  /**
   * Whether a session has no more than its version promises, as on a server of that version: later RPCs are refused
   * with code 12, later fields are dropped both ways, later enum values are 0. False by default, as on the reference
   * server, where a session of any version has everything. S1.19, S3.10.
   */
  strictVersions?: boolean;
  /** What the handlers of a session get as `context.values`. */
  contextValues?(session: RpcSession<Identity>): ContextValues;
  /** Called for each session; what it returns is called at its end. */
  onSession?(session: RpcSession<Identity>): ((end: TransportError) => void) | undefined;
  /** Told of each stream that a peer broke. */
  onProtocolError?(error: RpcError, session: RpcSession<Identity>): void;
  /** Largest message of a call in bytes; 4 MiB by default. */
  maxMessageBytes?: number;
  /** Largest WebSocket message to accept, in bytes; 16 MiB by default. */
  maxWebSocketMessageBytes?: number;
  yamux?: YamuxOptions;
  /** Looks on at each connection: see `observing` in `agentwire/observe`. None by default, which costs nothing. */
  observer?: ConnectionObserver | undefined;
  /** The `X-Coder-Build-Version` of answers. */
  buildVersion?: string;
}

/** An endpoint: give it the requests for its path. */
export interface RpcEndpoint {
  readonly path: string;
  /** Sessions that are open. */
  readonly sessionCount: number;
  /** Answers a request that is no upgrade. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Upgrades a request, or refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /**
   * Ends all sessions in order and takes no more.
   * @param timeoutMs how long to wait for calls under way; 0 by default.
   */
  close(timeoutMs?: number): Promise<void>;
}

const defaultBuildVersion = "agentwire";

/**
 * Makes an endpoint for a server that routes by itself. Most use {@link attachRpc}.
 * @throws RangeError when `authenticateTimeoutMs` is not positive.
 */
export function createRpcEndpoint<Identity>(options: RpcEndpointOptions<Identity>): RpcEndpoint {
  return new Endpoint(options);
}

/** A request that may become a session. */
interface Accepted<Identity> {
  identity: Identity;
  apiVersion: string;
  role: string;
  remoteAddress: string | undefined;
  reachedAt: ReachedAt | undefined;
}

class Endpoint<Identity> implements RpcEndpoint {
  readonly path: string;
  readonly #options: RpcEndpointOptions<Identity>;
  readonly #buildVersion: string;
  readonly #sessions: RpcSessions<Accepted<Identity>>;
  readonly #waits: Waits;
  #isClosed = false;

  constructor(options: RpcEndpointOptions<Identity>) {
    this.#options = options;
    this.path = options.path ?? defaultRpcPath;
    this.#buildVersion = options.buildVersion ?? defaultBuildVersion;
    this.#sessions = new RpcSessions<Accepted<Identity>>(options);
    this.#waits = new Waits(options.authenticateTimeoutMs);
  }

  get sessionCount(): number {
    return this.#sessions.count;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // the response of a client that has left says so on each write
    response.on("error", () => {});
    try {
      await this.#accept(request, response);
      this.#send(
        response,
        upgradeRefusal(request) ?? errorAnswer(new ApiError(400, "Failed to accept websocket.")),
      );
    } catch (error) {
      this.#refuse(response, error);
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const giveUp = () => socket.destroy();
    socket.on("error", giveUp);
    try {
      const accepted = await this.#accept(request, socket);
      const refusal = upgradeRefusal(request) ?? (this.#isClosed ? errorAnswer(serverCloses()) : undefined);
      if (refusal !== undefined) this.#send(socket, refusal);
      else if (this.#sessions.begin(request, socket, head, accepted)) socket.off("error", giveUp);
      else socket.destroy();
    } catch (error) {
      this.#refuse(socket, error);
    }
  }

  close(timeoutMs?: number): Promise<void> {
    this.#isClosed = true;
    this.#waits.end();
    return this.#sessions.close(timeoutMs);
  }

  /**
   * Who, with which version, in which role: in this order. S1.22.
   * @throws whatever refuses the request.
   */
  async #accept(request: IncomingMessage, client: AnswerTo): Promise<Accepted<Identity>> {
    const { identity, dial } = await this.#whoDials(request, client);
    if (request.method !== "GET") throw new MethodNotAllowed();
    const query = dial.url.searchParams;
    const apiVersion = requestedVersion(query, this.#options);
    const { remoteAddress, reachedAt } = dial;
    return { identity, apiVersion, role: query.get("role") ?? "", remoteAddress, reachedAt };
  }

  /** Asks for as long as the client is there. @throws what refuses it. */
  async #whoDials(
    request: IncomingMessage,
    client: AnswerTo,
  ): Promise<{ identity: Identity; dial: DialRequest }> {
    const presence = clientPresence(client);
    try {
      return await this.#waits.until(async (signal) => {
        const dial = dialRequestOf(request, signal);
        return { identity: await this.#options.authenticate(dial), dial };
      }, presence.signal);
    } finally {
      presence.release();
    }
  }

  #refuse(to: AnswerTo, error: unknown): void {
    if (error instanceof ClientLeft) to.destroy();
    else this.#send(to, refusalOf(error));
  }

  #send(to: AnswerTo, answer: HttpAnswer): void {
    sendAnswer(to, answer, this.#buildVersion);
  }
}

class MethodNotAllowed extends Error {}

function refusalOf(error: unknown): HttpAnswer {
  if (error instanceof MethodNotAllowed) return { status: 405, headers: { Allow: "GET" }, body: "" };
  return errorAnswer(asApiError(error));
}

/**
 * Serves dRPC on somebody's HTTP server: upgrades on the endpoint's path, and answers requests there that are none.
 * Requests for other paths go where they went before.
 *
 * @returns what takes the endpoint off again and ends its sessions.
 */
export function attachRpc<Identity>(server: NodeServer, options: RpcEndpointOptions<Identity>): RpcEndpoint {
  const endpoint = createRpcEndpoint(options);
  const detach = attachHandlers(server, {
    wants: (path) => path === endpoint.path,
    handle: (request, response) => void endpoint.handle(request, response),
    upgrade: (request, socket, head) => void endpoint.upgrade(request, socket, head),
  });
  return {
    path: endpoint.path,
    get sessionCount() {
      return endpoint.sessionCount;
    },
    handle: (request, response) => endpoint.handle(request, response),
    upgrade: (request, socket, head) => endpoint.upgrade(request, socket, head),
    close(timeoutMs) {
      detach();
      return endpoint.close(timeoutMs);
    },
  };
}
