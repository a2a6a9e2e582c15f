import { nodeFetch } from "../http/fetch-node.js";
import { connectWith } from "../session/connect-with.js";
import type { AgentsConnection } from "../session/session.js";
import type { SessionOptionsOver, SessionOver } from "../session/session-options.js";
import type { CreateConnection } from "./agent-only-connection.js";
import { dialWith } from "./dial.js";
import type { NodeDialOptions } from "./dial-options.js";
import { nodeOpener } from "./open-socket-node.js";

/** Dials the agent API from Node. @param create puts the connection on the session. */
export function dialFromNode<C>(options: NodeDialOptions, create: CreateConnection<C>): Promise<C> {
  return dialWith(nodeOpener(options), { ...options, fetch: fetchOf(options) }, create);
}

/** Begins a session that dials from Node. @param create puts a connection on what was dialled. */
export function connectFromNode<C extends AgentsConnection>(
  options: NodeDialOptions & SessionOptionsOver<C>,
  create: CreateConnection<C>,
): SessionOver<C> {
  return connectWith(nodeOpener(options), options, create, fetchOf(options));
}

/** What belongs to a connection goes its way. */
function fetchOf({ fetch, proxy, tls }: Pick<NodeDialOptions, "fetch" | "proxy" | "tls">): typeof fetch & {} {
  return fetch ?? nodeFetch({ proxy, tls });
}
