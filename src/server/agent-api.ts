import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { createContextValues, type Interceptor } from "@connectrpc/connect";
import { defaultMaxPacketBytes, joinCodecs } from "../codec/index.js";
import { agentCodecs } from "../gen/coder/agent/v2/agent_codec.js";
import { DERPMapSchema } from "../gen/coder/tailnet/v2/derp_map_pb.js";
import { tailnetCodecs } from "../gen/coder/tailnet/v2/index_codec.js";
import type { Routes } from "../rpc/index.js";
import type { AgentStore } from "../store/index.js";
import type { ConnectionObserver, YamuxOptions } from "../transport/index.js";
import type { ApiVersion } from "../version/index.js";
import {
  type AgentIdentity,
  type AgentSession,
  agentSession,
  agentSessionKey,
  isAgentRole,
} from "./agent-session.js";
import { authenticateAgent } from "./authenticate.js";
import { BuildWatch } from "./batches/build-watch.js";
import { createBatches } from "./batches/index.js";
import { connectProtocols } from "./connect-protocols.js";
import {
  type MonitorDeps,
  type MonitorOptions,
  monitorConnection,
  resolveMonitorOptions,
} from "./connection-monitor.js";
import type { DialRequest } from "./dial-request.js";
import { type Events, LocalEvents } from "./events/index.js";
import type { HandlerDeps, ManifestSettings } from "./handlers/deps.js";
import { agentRoutes } from "./handlers/index.js";
import {
  type Activity,
  type Logger,
  type Metrics,
  type Notifications,
  noMetrics,
  runHook,
  silentLogger,
} from "./hooks.js";
import { attachHandlers, type NodeServer, pathOf } from "./http/attach.js";
import type { HttpOptions } from "./http/options.js";
import { RateLimit } from "./http/rate-limit.js";
import { HttpRouter } from "./http/router.js";
import { httpRoutes } from "./http/table.js";
import { createRpcEndpoint, type RpcEndpoint, type RpcSession } from "./rpc-endpoint.js";
import { countSocket } from "./socket-metrics.js";
import { type DerpMapOption, derpMapSourceOf } from "./tailnet/derp/derp-map-source.js";
import { TailnetEndpoint } from "./tailnet/endpoint.js";
import { createTailnet, type TailnetDeps, type TailnetOptions } from "./tailnet/tailnet.js";

/** How an agent API is made. */
export interface AgentApiOptions extends HttpOptions {
  /** Where things are kept. */
  store: AgentStore;
  /**
   * Says which agent dials; by default the store's agent with the token. Throw an `ApiError` to refuse.
   */
  authenticate?(request: DialRequest): AgentIdentity | Promise<AgentIdentity>;
  /**
   * How long `authenticate` and `authenticateUser` may take, and any upgrade until it is answered, in milliseconds;
   * 30,000 by default. The request is answered with 503 then, and its `signal` ends.
   */
  authenticateTimeoutMs?: number;
  /** Told what happens; by default events stay within this process. Whoever makes one closes it. */
  events?: Events;
  /** Tells people what they should know: S3.57, S3.73, S3.74. By default nobody is told. */
  notifications?: Notifications;
  /** Told what is used, for control planes that stop what is not. */
  activity?: Activity;
  /** Where log lines go; by default nowhere. */
  log?: Logger;
  /** Where numbers go; by default nowhere. */
  metrics?: Metrics;
  /** Told what agents measure themselves. */
  onAgentMetrics?: HandlerDeps["onAgentMetrics"];
  /** What of the deployment is in every manifest. */
  manifest?: ManifestSettings;
  /** This server, among those that share a store; a new UUID by default. */
  replicaId?: string;
  /** How often metadata is stored, in milliseconds; 5,000 by default. */
  metadataIntervalMs?: number;
  /**
   * Told of each session, also of those in roles that are not the agent's. What it returns is called at the end. What
   * either throws is logged.
   */
  onSession?(session: AgentSession, connection: RpcSession<AgentIdentity>): (() => void) | undefined;
  /** More handlers on the same connections. */
  routes?: Routes;
  /** Around all handlers, over dRPC and over HTTP protocols. */
  interceptors?: Interceptor[];
  /** The newest version to serve; 2.10 by default. */
  serverVersion?: ApiVersion;
  /**
   * Whether a session has no more than its version promises: later RPCs are refused with code 12, later fields are
   * dropped both ways, later enum values are 0. False by default: a session of any version has everything. Calls over
   * Connect, gRPC and gRPC-Web have no version, and always everything. S1.19, S3.10.
   */
  strictVersions?: boolean;
  /**
   * The relays that agents and clients get: a map, a function that gives one, or a source that tells of changes, such
   * as `derpMapFile`. None by default. Whoever makes a source closes it.
   */
  derpMap?: DerpMapOption;
  /** The private network between agents and their clients. */
  tailnet?: TailnetOptions;
  /** The banners that agents show. None by default. */
  banners?: HandlerDeps["banners"];
  /** How often agents report stats, in milliseconds; 30,000 by default. */
  statsIntervalMs?: number;
  /** How an agent's connection is watched. */
  monitor?: MonitorOptions;
  yamux?: YamuxOptions;
  /** Looks on at each connection: see `observing` in `agentwire/observe`. None by default, which costs nothing. */
  observer?: ConnectionObserver | undefined;
  /** Largest message of a call in bytes; 4 MiB by default. */
  maxMessageBytes?: number;
  /** The `X-Coder-Build-Version` of answers. */
  buildVersion?: string;
  /** Microseconds since 1970; the clock of this machine by default. */
  nowUs?: () => number;
}

/** The agent API: all handlers, ready to be mounted. */
export interface AgentApi {
  /** The handlers, for any Connect server. Calls need the agent's session in `context.values`. */
  readonly routes: Routes;
  /** Sessions of agents, and of tools with their tokens, over WebSocket that are open. */
  readonly sessionCount: number;
  /** Sessions of users' programs with the tailnet service that are open. */
  readonly tailnetSessionCount: number;
  /** Stores now what waits to be stored in company: metadata, stats, connection reports, telemetry. */
  flush(): Promise<void>;
  /** Followers of logs, events and metadata over HTTP that are open. */
  readonly streamCount: number;
  /**
   * Serves it on an HTTP server: the upgrade at `/api/v2/workspaceagents/me/rpc`, the HTTP endpoints beside it, and
   * the same RPCs over Connect, gRPC and gRPC-Web. Other requests go where they went before.
   * @returns what takes it off again.
   */
  attach(server: NodeServer): () => void;
  /** The same for a server that routes by itself: true when the request was for the API. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  /** As {@link handle}, for a server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /**
   * Ends the sessions of a user's programs with the tailnet service, and their tunnels with them: the agents hear that
   * they are gone for good. For a user of whom `authenticateUser`, `mayRead` or `mayConnect` says something else from
   * now on: programs dial again, and are asked anew. Sessions with other servers on the same store stay, so call it at
   * each; followers of logs and values stay too.
   * @param userId as in `ApiUser`.
   * @returns how many sessions there were.
   */
  disconnectUser(userId: string): Promise<number>;
  /**
   * Ends all sessions in order and stores what waits.
   * @param timeoutMs how long to wait for calls under way; 0 by default.
   */
  close(timeoutMs?: number): Promise<void>;
}

const defaultStatsIntervalMs = 30_000;
const defaultStreamPingIntervalMs = 15_000;
const defaultBuildVersion = "agentwire";

/** Makes the agent API on a store. */
export function createAgentApi(options: AgentApiOptions): AgentApi {
  return new Api(options);
}

class Api implements AgentApi {
  readonly routes: Routes;
  readonly #options: AgentApiOptions;
  readonly #deps: HandlerDeps;
  readonly #tailnet: TailnetDeps;
  readonly #derpMap: ReturnType<typeof derpMapSourceOf>;
  readonly #monitorDeps: MonitorDeps;
  readonly #endpoint: RpcEndpoint;
  readonly #tailnetEndpoint: TailnetEndpoint;
  readonly #http: HttpRouter;
  readonly #protocols: ReturnType<typeof connectProtocols>;
  /** Updates of connections that have ended and are not written yet. */
  readonly #lastUpdates = new Set<Promise<void>>();

  /**
   * @throws SyntaxError when the pattern of an external-auth provider is no regular expression; RangeError when
   * `authenticateTimeoutMs` is not positive.
   */
  constructor(options: AgentApiOptions) {
    this.#options = options;
    const { store, onAgentMetrics } = options;
    const shared = {
      store,
      events: options.events ?? new LocalEvents(),
      nowUs: options.nowUs ?? (() => Math.round((performance.timeOrigin + performance.now()) * 1000)),
      log: options.log ?? silentLogger,
      metrics: options.metrics ?? noMetrics,
    };
    const { log } = shared;
    this.#derpMap = derpMapSourceOf(options.derpMap ?? create(DERPMapSchema, { homeParams: {} }), (error) =>
      log.warn("the map of relays stays as it was", { error: error.message }),
    );
    const batches = createBatches({ ...shared, metadataIntervalMs: options.metadataIntervalMs });
    this.#deps = {
      ...shared,
      batches,
      onAgentMetrics,
      notifications: options.notifications ?? { send: () => Promise.resolve() },
      activity: options.activity ?? {},
      manifest: options.manifest ?? {},
      statsIntervalMs: options.statsIntervalMs ?? defaultStatsIntervalMs,
      banners: options.banners ?? (() => []),
      derpMap: this.#derpMap.source,
    };
    const replicaId = options.replicaId ?? crypto.randomUUID();
    this.#monitorDeps = { ...shared, batches, builds: new BuildWatch(store), replicaId };
    this.#tailnet = createTailnet(options.tailnet ?? {}, this.#deps);
    const handlers = agentRoutes(this.#deps, this.#tailnet);
    this.routes = (router) => {
      handlers(router);
      options.routes?.(router);
    };
    const {
      serverVersion,
      strictVersions = false,
      yamux,
      maxMessageBytes,
      buildVersion,
      interceptors,
      observer,
      authenticateTimeoutMs,
    } = options;
    this.#endpoint = createRpcEndpoint<AgentIdentity>({
      authenticate: (request) => this.#authenticate(request),
      routes: this.routes,
      codecs: joinCodecs(agentCodecs, tailnetCodecs),
      contextValues: (session) => createContextValues().set(agentSessionKey, sessionFacts(session)),
      onSession: (session) => this.#onSession(session),
      strictVersions,
      observer,
      ...(authenticateTimeoutMs === undefined ? {} : { authenticateTimeoutMs }),
      ...(interceptors === undefined ? {} : { interceptors }),
      ...(serverVersion === undefined ? {} : { serverVersion }),
      ...(yamux === undefined ? {} : { yamux }),
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
      ...(buildVersion === undefined ? {} : { buildVersion }),
    });
    const pingIntervalMs = options.streamPingIntervalMs ?? defaultStreamPingIntervalMs;
    this.#tailnetEndpoint = new TailnetEndpoint(this.#tailnet, {
      metrics: shared.metrics,
      pingIntervalMs,
      serverVersion,
      strictVersions,
      yamux,
      maxMessageBytes,
      interceptors,
      observer,
    });
    const routes = httpRoutes({
      ...options,
      handlers: this.#deps,
      disconnectTimeoutMs: resolveMonitorOptions(options.monitor).disconnectTimeoutMs,
    });
    this.#http = new HttpRouter({
      routes: [...routes, ...this.#tailnetEndpoint.routes],
      authenticateAgent: (request) => this.#authenticate(request),
      authenticateUser: (request) => options.authenticateUser?.(request),
      authenticateTimeoutMs,
      rateLimit: options.rateLimit && new RateLimit(options.rateLimit),
      buildVersion: buildVersion ?? defaultBuildVersion,
      pingIntervalMs,
    });
    this.#protocols = connectProtocols({
      routes: this.routes,
      authenticate: (request) => this.#authenticate(request),
      authenticateTimeoutMs,
      interceptors: interceptors ?? [],
      maxMessageBytes: maxMessageBytes ?? defaultMaxPacketBytes,
    });
  }

  get sessionCount(): number {
    return this.#endpoint.sessionCount;
  }

  get tailnetSessionCount(): number {
    return this.#tailnetEndpoint.sessionCount;
  }

  get streamCount(): number {
    return this.#http.streamCount;
  }

  attach(server: NodeServer): () => void {
    return attachHandlers(server, {
      wants: (path) => this.#wants(path),
      handle: (request, response) => void this.handle(request, response),
      upgrade: (request, socket, head) => void this.upgrade(request, socket, head),
    });
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = pathOf(request);
    if (!this.#wants(path)) return false;
    if (path === this.#endpoint.path) {
      if (this.#http.admits(request, response)) void this.#endpoint.handle(request, response);
    } else if (this.#http.wants(path)) void this.#http.handle(request, response);
    else void this.#protocols.handle(request, response);
    return true;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const path = pathOf(request);
    if (!this.#wants(path)) return false;
    if (path !== this.#endpoint.path) void this.#http.upgrade(request, socket, head);
    else if (this.#http.admits(request, socket)) void this.#endpoint.upgrade(request, socket, head);
    return true;
  }

  disconnectUser(userId: string): Promise<number> {
    return this.#tailnetEndpoint.disconnectUser(userId);
  }

  async close(timeoutMs?: number): Promise<void> {
    this.#tailnet.streams.end();
    this.#protocols.close();
    const sessions = [this.#endpoint.close(timeoutMs), this.#tailnetEndpoint.close(timeoutMs)];
    await Promise.all([this.#http.close(), ...sessions]);
    await Promise.all(this.#lastUpdates);
    await Promise.all([this.#tailnet.close(), this.#derpMap.close(), this.#deps.batches.close()]);
  }

  async flush(): Promise<void> {
    await Promise.all([this.#deps.batches.flush(), this.#tailnet.telemetry.flush()]);
  }

  #wants(path: string): boolean {
    return this.#http.wants(path) || this.#protocols.wants(path);
  }

  #authenticate(request: DialRequest): AgentIdentity | Promise<AgentIdentity> {
    const own = this.#options.authenticate;
    return own === undefined ? authenticateAgent(this.#options.store, request.token) : own(request);
  }

  #onSession(connection: RpcSession<AgentIdentity>): () => void {
    const who = sessionFacts(connection);
    const { log } = this.#deps;
    let onEnd: (() => void) | undefined;
    void runHook(log, "onSession", () => {
      onEnd = this.#options.onSession?.(who, connection);
    });
    const monitored = isAgentRole(connection.role)
      ? monitorConnection(
          this.#monitorDeps,
          connection.session,
          connection.identity.agent,
          who,
          this.#options.monitor,
        )
      : undefined;
    const endMetrics = countSocket(this.#deps.metrics, this.#endpoint.path);
    return () => {
      void runHook(log, "the end of onSession", () => onEnd?.());
      endMetrics();
      if (monitored === undefined) return;
      const last = monitored().finally(() => this.#lastUpdates.delete(last));
      this.#lastUpdates.add(last);
    };
  }
}

function sessionFacts({ identity, apiVersion, role, reachedAt }: RpcSession<AgentIdentity>): AgentSession {
  return agentSession(identity, apiVersion, role, reachedAt);
}
