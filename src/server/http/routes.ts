import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { AgentIdentity } from "../agent-session.js";
import type { HttpAnswer } from "./answer.js";
import type { EventStream } from "./event-stream.js";
import type { TextSocket, TextSocketOptions } from "./text-socket.js";
import type { ApiUser } from "./users/api-user.js";

/** A request that has found its route. */
export interface HttpCall {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  /** The parts of the path that the pattern names. */
  readonly params: Readonly<Record<string, string>>;
  /** Ends with the request: when it is answered, when the client leaves, when the server closes. */
  readonly signal: AbortSignal;
}

/** A request with an agent's token. */
export interface AgentCall extends HttpCall {
  readonly identity: AgentIdentity;
}

/** A request of a user. */
export interface UserCall extends HttpCall {
  readonly user: ApiUser;
}

/** An answer of which the next page is made when the one before is on its way. */
export interface PagedAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  pages: AsyncIterable<string>;
}

/** An answer that goes on: server-sent events. It is over when `followEvents` resolves, or with the call's signal. */
export interface EventStreamAnswer {
  followEvents(stream: EventStream): Promise<void>;
}

/** The same over a WebSocket, for which the client must have asked. */
export interface WebSocketAnswer {
  /** How it is closed when the server ends it. */
  goodbye: { code: number; reason: string };
  socketOptions?: TextSocketOptions;
  followMessages(socket: TextSocket): Promise<void>;
}

/** A session over a WebSocket, for which the client must have asked. From its beginning it is the answerer's. */
export interface SessionAnswer {
  /** @returns false when there is none, as the client has left or the server closes. */
  beginSession(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/** What a route may answer. */
export type RouteAnswer = HttpAnswer | PagedAnswer | EventStreamAnswer | WebSocketAnswer | SessionAnswer;

/** Whether an answer is for those who have asked for a WebSocket. */
export function isUpgraded(answer: RouteAnswer): answer is WebSocketAnswer | SessionAnswer {
  return "followMessages" in answer || "beginSession" in answer;
}

/** A method at a path, and who may use it. Parts of the path in braces stand for any text. */
export type Route = { method: "GET" | "POST" | "PATCH"; path: string } & (
  | { who: "anyone"; answer(call: HttpCall): RouteAnswer | Promise<RouteAnswer> }
  | { who: "agent"; answer(call: AgentCall): RouteAnswer | Promise<RouteAnswer> }
  | { who: "user"; answer(call: UserCall): RouteAnswer | Promise<RouteAnswer> }
);

/** All routes with the first pattern that a path has, and what the path has in the pattern's braces. */
export interface RoutesAtPath {
  routes: readonly Route[];
  params: Readonly<Record<string, string>>;
}

/**
 * Looks paths up in a table. Where two patterns fit, the one that is first in the table wins.
 * @returns a function that gives undefined for a path that is not there.
 */
export function routeTable(routes: readonly Route[]): (path: string) => RoutesAtPath | undefined {
  const patterns = new Map<string, Route[]>();
  for (const route of routes) patterns.set(route.path, [...(patterns.get(route.path) ?? []), route]);
  const rows = [...patterns].map(([pattern, same]) => ({ parts: pattern.split("/"), routes: same }));
  return (path) => {
    const parts = path.split("/");
    for (const row of rows) {
      const params = matched(row.parts, parts);
      if (params !== undefined) return { routes: row.routes, params };
    }
    return undefined;
  };
}

function matched(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, wanted] of pattern.entries()) {
    const part = parts[i] ?? "";
    if (wanted.startsWith("{") && part !== "") params[wanted.slice(1, -1)] = decoded(part);
    else if (wanted !== part) return undefined;
  }
  return params;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
