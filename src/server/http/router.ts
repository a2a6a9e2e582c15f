import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { AgentIdentity } from "../agent-session.js";
import { endedBy, serverCloses, Waits } from "../answer-waits.js";
import { ApiError, asApiError } from "../api-error.js";
import { type DialRequest, dialRequestOf } from "../dial-request.js";
import { refuseForeignCookie } from "../origin-check.js";
import { upgradeRefusal } from "../upgrade-check.js";
import { type AnswerTo, emptyAnswer, errorAnswer, type HttpAnswer, sendAnswer } from "./answer.js";
import { pathOf } from "./attach.js";
import { ClientLeft, type ClientPresence, clientPresence } from "./client-left.js";
import { allPages, type Delivery, deliverEvents, deliverMessages, deliverPages } from "./delivery.js";
import type { RateLimit } from "./rate-limit.js";
import {
  type HttpCall,
  isUpgraded,
  type Route,
  type RouteAnswer,
  type RoutesAtPath,
  routeTable,
  type SessionAnswer,
  type WebSocketAnswer,
} from "./routes.js";
import type { ApiUser } from "./users/api-user.js";

/** What a router works with. */
export interface HttpRouterOptions {
  routes: readonly Route[];
  authenticateAgent(request: DialRequest): AgentIdentity | Promise<AgentIdentity>;
  /** Without it, and where it gives undefined, no user is known. */
  authenticateUser?(request: DialRequest): ApiUser | Promise<ApiUser> | undefined;
  /** How long both may take, and an upgrade to be answered; 30,000 by default. */
  authenticateTimeoutMs: number | undefined;
  /** Without it nothing is limited. */
  rateLimit: RateLimit | undefined;
  buildVersion: string;
  /** Streams are pinged so often. */
  pingIntervalMs: number;
}

/** Who asks. */
type Asker = { who: "anyone" } | { who: "agent"; identity: AgentIdentity } | { who: "user"; user: ApiUser };

/** Paths that are the API's though no route has them, and who is told so. S1.4. */
const areas = [
  { prefix: "/api/v2/workspaceagents/me", who: "agent" },
  { prefix: "/api/v2/workspaceagents", who: "user" },
  { prefix: "/api/v2/tailnet", who: "user" },
] as const;

/** Messages of clients on one-way sockets are not read; they need no more than this. */
const maxClientMessageBytes = 4096;
/** A client has so long to take the end of a stream. */
const goodbyeTimeoutMs = 2_000;

/** Finds the route of a request, asks who it is, and delivers the answer, streams too. */
export class HttpRouter {
  readonly #options: HttpRouterOptions;
  readonly #lookUp: (path: string) => RoutesAtPath | undefined;
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxClientMessageBytes,
    handleProtocols: () => false,
  });
  readonly #calls = new Set<AbortController>();
  /** Of those who say who asks, and of upgrades for their answers. */
  readonly #waits: Waits;
  readonly #streams = new Set<Promise<void>>();
  #isClosing = false;

  /** @throws RangeError when `authenticateTimeoutMs` is not positive. */
  constructor(options: HttpRouterOptions) {
    this.#options = options;
    this.#waits = new Waits(options.authenticateTimeoutMs);
    this.#lookUp = routeTable(options.routes);
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** True for the paths that this router answers. */
  wants(path: string): boolean {
    return areaOf(path) !== undefined || this.#lookUp(path) !== undefined;
  }

  /** Counts a request that somebody else answers. @returns false when it is one too many, and has been answered. */
  admits(request: IncomingMessage, to: AnswerTo): boolean {
    try {
      this.#count(request.socket.remoteAddress, pathOf(request));
      return true;
    } catch (error) {
      this.#send(to, errorAnswer(asApiError(error)));
      return false;
    }
  }

  /** Answers a request. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = clientPresence(response);
    const call = this.#begin(client);
    // the response of a client that has left says so on each write
    response.on("error", () => {});
    try {
      const answer = await endedBy(client.signal, () => this.#answer(request, call.signal));
      await this.#deliver(answer, request, response, call.signal);
    } catch (error) {
      if (response.headersSent || error instanceof ClientLeft) response.destroy();
      else this.#send(response, errorAnswer(asApiError(error)));
    } finally {
      client.release();
      this.#end(call);
    }
  }

  /** Answers a request that asks for an upgrade; only some routes have one. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const client = clientPresence(socket);
    const call = this.#begin(client);
    const giveUp = () => socket.destroy();
    socket.on("error", giveUp);
    try {
      const answer = await this.#waits.until(async () => {
        const found = await this.#answer(request, call.signal, { isUpgrade: true });
        return isUpgraded(found) ? found : this.#whole(found);
      }, call.signal);
      client.release();
      const refusal = isUpgraded(answer) ? this.#refusal(request) : answer;
      if (refusal !== undefined) this.#send(socket, refusal);
      else if (socket.destroyed || !isUpgraded(answer)) socket.destroy();
      else if ("beginSession" in answer) {
        if (answer.beginSession(request, socket, head)) socket.off("error", giveUp);
        else socket.destroy();
      } else {
        socket.off("error", giveUp);
        await this.#follow(answer, request, socket, head, call);
      }
    } catch (error) {
      if (error instanceof ClientLeft) socket.destroy();
      else this.#send(socket, errorAnswer(asApiError(error)));
    } finally {
      client.release();
      this.#end(call);
    }
  }

  /** Ends all streams in order, and what waits for something; begins no more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const call of this.#calls) call.abort(serverCloses());
    await Promise.all(this.#streams);
  }

  /** Ends with its client, if not before. */
  #begin({ signal }: ClientPresence): AbortController {
    const call = new AbortController();
    signal.addEventListener("abort", () => call.abort(signal.reason), { once: true });
    this.#calls.add(call);
    return call;
  }

  #end(call: AbortController): void {
    this.#calls.delete(call);
    call.abort();
  }

  /** Never throws: what is wrong is an answer too. */
  async #answer(
    request: IncomingMessage,
    signal: AbortSignal,
    { isUpgrade = false }: { isUpgrade?: boolean } = {},
  ): Promise<RouteAnswer> {
    try {
      const path = pathOf(request);
      const found = this.#find(path);
      const dial = dialRequestOf(request, signal);
      const asker = await this.#whoAsks(found?.routes[0]?.who ?? areaOf(path) ?? "anyone", dial, path);
      if (found === undefined) throw routeNotFound();
      const { params, routes } = found;
      const route = routes.find(({ method }) => method === methodOf(request));
      if (route === undefined) {
        return emptyAnswer(405, { Allow: routes.map(({ method }) => method).join(", ") });
      }
      // Node gives no body with an upgrade: it would be waited for without end
      if (isUpgrade && route.method !== "GET") throw takesNoUpgrade();
      refuseForeignCookie(request.method, request.headers);
      return await answerOf(route, { request, query: dial.url.searchParams, params, signal }, asker);
    } catch (error) {
      return errorAnswer(asApiError(error));
    }
  }

  /** Below `/me` is only what is for agents, whatever else `{id}` stands for. */
  #find(path: string): RoutesAtPath | undefined {
    const found = this.#lookUp(path);
    return areaOf(path) === "agent" && found?.routes[0]?.who === "user" ? undefined : found;
  }

  /** Who it is comes before what there is. S1.4. */
  async #whoAsks(who: Route["who"], dial: DialRequest, path: string): Promise<Asker> {
    if (who === "user") return this.#user(dial, path);
    this.#count(dial.remoteAddress, path);
    if (who === "anyone") return { who };
    const { authenticateAgent } = this.#options;
    return { who, identity: await this.#ask(dial, (request) => authenticateAgent(request)) };
  }

  /** Users are counted by their name, wherever they are; who is no user by address. S1.3. */
  async #user(dial: DialRequest, path: string): Promise<Asker> {
    try {
      const user = await this.#ask(dial, (request) => this.#options.authenticateUser?.(request));
      if (user === undefined) throw noCredentials();
      this.#count(`user ${user.id}`, path);
      return { who: "user", user };
    } catch (error) {
      if (asApiError(error).status !== 429) this.#count(dial.remoteAddress, path);
      throw error;
    }
  }

  #ask<T>(dial: DialRequest, who: (request: DialRequest) => T | Promise<T>): Promise<T> {
    return this.#waits.until((signal) => who({ ...dial, signal }), dial.signal);
  }

  #count(caller: string | undefined, path: string): void {
    this.#options.rateLimit?.count(caller ?? "", path);
  }

  async #deliver(
    answer: RouteAnswer,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const isHead = request.method === "HEAD";
    if (isUpgraded(answer)) {
      this.#send(response, this.#refusal(request) ?? errorAnswer(needsUpgrade()));
    } else if ("followEvents" in answer) {
      if (this.#isClosing) this.#send(response, errorAnswer(serverCloses()));
      else if (isHead) this.#send(response, emptyAnswer(200, { "Content-Type": "text/event-stream" }), true);
      else await this.#during(deliverEvents(answer, response, this.#delivery(signal)));
    } else if ("pages" in answer) {
      if (isHead) this.#send(response, { ...answer, body: "" }, true);
      else await deliverPages(answer, response, this.#options.buildVersion);
    } else {
      this.#send(response, answer, isHead);
    }
  }

  /** Makes the WebSocket, and resolves when it is over. */
  async #follow(
    answer: WebSocketAnswer,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    call: AbortController,
  ): Promise<void> {
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => {
        const leave = () => call.abort();
        resolve(this.#during(deliverMessages(answer, webSocket, this.#delivery(call.signal), leave)));
      });
    });
  }

  /** Why a request is no WebSocket, or cannot be one now. */
  #refusal(request: IncomingMessage): HttpAnswer | undefined {
    return upgradeRefusal(request) ?? (this.#isClosing ? errorAnswer(serverCloses()) : undefined);
  }

  /** An answer for a socket whose client wants another protocol and gets none. */
  async #whole(answer: Exclude<RouteAnswer, WebSocketAnswer | SessionAnswer>): Promise<HttpAnswer> {
    if ("followEvents" in answer) return errorAnswer(takesNoUpgrade());
    if ("pages" in answer) return allPages(answer);
    return answer;
  }

  /** Counts a stream until it is over. */
  async #during(stream: Promise<void>): Promise<void> {
    this.#streams.add(stream);
    await stream.finally(() => this.#streams.delete(stream));
  }

  #delivery(signal: AbortSignal): Delivery {
    const { buildVersion, pingIntervalMs } = this.#options;
    return { signal, buildVersion, pingIntervalMs, goodbyeTimeoutMs };
  }

  #send(to: AnswerTo, answer: HttpAnswer, isHead = false): void {
    sendAnswer(to, answer, this.#options.buildVersion, { isHead });
  }
}

function areaOf(path: string): "agent" | "user" | undefined {
  return areas.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))?.who;
}

/** What is asked with HEAD is what is asked with GET. */
function methodOf({ method }: IncomingMessage): string | undefined {
  return method === "HEAD" ? "GET" : method;
}

function answerOf(route: Route, call: HttpCall, asker: Asker): RouteAnswer | Promise<RouteAnswer> {
  if (route.who === "anyone") return route.answer(call);
  if (route.who === "agent" && asker.who === "agent")
    return route.answer({ ...call, identity: asker.identity });
  if (route.who === "user" && asker.who === "user") return route.answer({ ...call, user: asker.user });
  throw routeNotFound();
}

function routeNotFound(): ApiError {
  return new ApiError(404, "Route not found.");
}

function noCredentials(): ApiError {
  return new ApiError(401, "API key or external proxy authentication required, but none provided");
}

function needsUpgrade(): ApiError {
  return new ApiError(400, "Failed to accept websocket.", {
    detail: "WebSockets need HTTP/1.1 and an upgrade.",
  });
}

function takesNoUpgrade(): ApiError {
  return new ApiError(400, "This endpoint has no WebSocket.", { detail: "Ask without the header Upgrade." });
}
