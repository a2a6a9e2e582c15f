import { createContextValues, type Interceptor } from "@connectrpc/connect";
import { tailnetCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { ConnectionObserver, YamuxOptions } from "../../transport/index.js";
import type { ApiVersion } from "../../version/index.js";
import { ApiError } from "../api-error.js";
import { addressesOf } from "../dial-request.js";
import { type Metrics, runHook } from "../hooks.js";
import type { Route, SessionAnswer, UserCall } from "../http/routes.js";
import { connectableAgent, mayReach } from "../http/users/access.js";
import type { ApiUser } from "../http/users/api-user.js";
import { requestedVersion } from "../requested-version.js";
import { RpcSessions, type Served, type SessionFacts } from "../rpc-sessions.js";
import { countSocket } from "../socket-metrics.js";
import { pingStore } from "../store-ping.js";
import type { Peer } from "./coordinator.js";
import { desktopTelemetryHeader, desktopTelemetryOf } from "./desktop-telemetry.js";
import { ProbedConnection } from "./endpoint-connection.js";
import { tailnetHandlers } from "./handlers/index.js";
import { LastingStreams } from "./lasting-streams.js";
import { ResumeTokenRefused, resumeTokenAnswer } from "./resume-tokens.js";
import type { TailnetDeps } from "./tailnet.js";
import { type TailnetSession, tailnetSessionKey } from "./tailnet-session.js";
import type { DesktopTelemetry } from "./telemetry-batch.js";
import { clientRule, userRule } from "./tunnel-auth.js";

/** Where users' programs dial that are to reach all of a user's agents. S4.28. */
const tailnetPath = "/api/v2/tailnet";
/** Where users' programs dial that are to reach one agent. S4.35. */
const agentTailnetPath = "/api/v2/workspaceagents/{id}/coordinate";

/** A coordinator has so long to hear the goodbyes of a session that is ended. */
const goodbyeTimeoutMs = 2_000;

/** How the sessions of users' programs are served; as those of agents, where both have an option. */
export interface TailnetEndpointOptions {
  metrics: Metrics;
  /** WebSockets are pinged so often. S4.32. */
  pingIntervalMs: number;
  interceptors?: Interceptor[] | undefined;
  serverVersion?: ApiVersion | undefined;
  strictVersions?: boolean | undefined;
  yamux?: YamuxOptions | undefined;
  maxMessageBytes?: number | undefined;
  observer?: ConnectionObserver | undefined;
}

/** A request that may become a session. */
interface Admitted extends SessionFacts {
  /** Of the route. */
  path: string;
  tailnet: TailnetSession;
  /** The user whose connection it is for telemetry, and what is known of their program; on one path only. S4.31. */
  told?: (DesktopTelemetry & { userId: string }) | undefined;
}

/** The tailnet service for users' programs: who may have a session of which kind, and the sessions. */
export class TailnetEndpoint {
  /** What the HTTP router is to answer for them. */
  readonly routes: readonly Route[];
  readonly #deps: TailnetDeps;
  readonly #options: TailnetEndpointOptions;
  readonly #sessions: RpcSessions<Admitted>;
  readonly #open = new Set<Served<Admitted>>();

  constructor(deps: TailnetDeps, options: TailnetEndpointOptions) {
    this.#deps = deps;
    this.#options = options;
    const { interceptors, strictVersions, yamux, maxMessageBytes, pingIntervalMs, observer } = options;
    const handlers = tailnetHandlers(deps);
    this.#sessions = new RpcSessions({
      codecs: tailnetCodecs,
      routes: (router) => router.service(Tailnet, handlers),
      contextValues: ({ tailnet }) => createContextValues().set(tailnetSessionKey, tailnet),
      connect: (webSocket, name) => new ProbedConnection(webSocket, name, pingIntervalMs),
      onSession: (session) => this.#onSession(session),
      ...(interceptors && { interceptors }),
      ...(strictVersions && { strictVersions }),
      ...(yamux && { yamux }),
      ...(maxMessageBytes && { maxMessageBytes }),
      observer,
    });
    this.routes = [
      { method: "GET", who: "user", path: tailnetPath, answer: (call) => this.#toAll(call) },
      { method: "GET", who: "user", path: agentTailnetPath, answer: (call) => this.#toOne(call) },
    ];
  }

  /** Sessions that are open. */
  get sessionCount(): number {
    return this.#sessions.count;
  }

  /**
   * Ends a user's sessions, with a goodbye to those that they share tunnels with.
   * @returns how many there were.
   */
  async disconnectUser(userId: string): Promise<number> {
    const sessions = [...this.#open].filter(({ tailnet }) => tailnet.user?.id === userId);
    await Promise.all(
      sessions.map(({ tailnet, session }) => {
        tailnet.coordinations?.end();
        return session.close(goodbyeTimeoutMs);
      }),
    );
    return sessions.length;
  }

  /**
   * Ends all sessions in order and takes no more.
   * @param timeoutMs how long to wait for calls under way; 0 by default.
   */
  close(timeoutMs?: number): Promise<void> {
    return this.#sessions.close(timeoutMs);
  }

  /** S4.28, in this order. */
  async #toAll(call: UserCall): Promise<SessionAnswer> {
    const { user } = call;
    await this.#checkBrowserOnly();
    const apiVersion = requestedVersion(call.query, this.#options);
    const peer = {
      ...(await this.#client(call)),
      authorize: userRule((agentId) => this.#mayReach(user, agentId)),
    };
    const desktop = desktopTelemetryOf(call.request.headers[desktopTelemetryHeader], this.#deps.log);
    const told = { userId: user.id, ...desktop };
    return this.#admit(call, { path: tailnetPath, apiVersion, told }, { peer, user, agentId: undefined });
  }

  /** S4.35, in this order. A client of the oldest kind says no version: it is refused. */
  async #toOne(call: UserCall): Promise<SessionAnswer> {
    const { store } = this.#deps;
    if ((await pingStore(store)) !== undefined) throw new ApiError(500, "database not reachable");
    const { id: agentId } = await connectableAgent(store, call);
    await this.#checkBrowserOnly();
    const { serverVersion } = this.#options;
    const apiVersion = requestedVersion(call.query, { serverVersion, assumed: "1.0" });
    const peer = { ...(await this.#client(call)), authorize: clientRule(agentId) };
    return this.#admit(call, { path: agentTailnetPath, apiVersion }, { peer, user: call.user, agentId });
  }

  async #checkBrowserOnly(): Promise<void> {
    if (await this.#deps.isBrowserOnly()) {
      throw new ApiError(409, "Non-browser connections are disabled for your deployment.");
    }
  }

  /** Who has been here before, and can show it, is the same peer as then. S4.29. */
  async #client({ query, user }: UserCall): Promise<Pick<Peer, "id" | "name">> {
    const token = query.get("resume_token");
    try {
      const id = token ? await this.#deps.resumeTokens.peerIdOf(token, user.id) : undefined;
      return { id: id ?? crypto.randomUUID(), name: "client" };
    } catch (error) {
      throw error instanceof ResumeTokenRefused ? resumeTokenAnswer(error) : error;
    }
  }

  /** A failure to find out is a no, as it is nothing that a user should read. */
  async #mayReach(user: ApiUser, agentId: string): Promise<boolean> {
    let may = false;
    await runHook(this.#deps.log, "asking whether a user may connect to an agent", async () => {
      may = await mayReach(this.#deps.store, user, agentId);
    });
    return may;
  }

  #admit(
    call: UserCall,
    facts: Pick<Admitted, "path" | "apiVersion" | "told">,
    whose: Omit<TailnetSession, "reachedAt">,
  ): SessionAnswer {
    const { remoteAddress, reachedAt } = addressesOf(call.request);
    const tailnet = { ...whose, reachedAt, coordinations: new LastingStreams() };
    const admitted = { ...facts, remoteAddress, tailnet };
    return {
      beginSession: (request, socket, head) => this.#sessions.begin(request, socket, head, admitted),
    };
  }

  /** @returns what to call at its end. */
  #onSession(served: Served<Admitted>): () => void {
    const { path, tailnet, told } = served;
    const { telemetry, nowUs } = this.#deps;
    const endMetrics = countSocket(this.#options.metrics, path);
    this.#open.add(served);
    const ended = () => {
      this.#open.delete(served);
      endMetrics();
    };
    if (told === undefined) return ended;
    const record = { ...told, peerId: tailnet.peer.id, connectedAtUs: nowUs() };
    telemetry.userConnected(record);
    return () => {
      ended();
      telemetry.userConnected({ ...record, disconnectedAtUs: nowUs() });
    };
  }
}
