/**
 * Dialling a control plane, in any runtime with a `WebSocket`. On Node this entry is replaced by one with headers,
 * proxies and certificates.
 */
import { type AgentConnection, createAgentConnection } from "./dial/agent-connection.js";
import { dialWith, type TypedVersion } from "./dial/dial.js";
import type { VersionChoice, WebDialOptions } from "./dial/dial-options.js";
import { webOpener } from "./dial/open-socket.js";
import type { TailnetConnection } from "./dial/tailnet-connection.js";
import { connectWith } from "./session/connect-with.js";
import type { ReconnectingSession, SessionOptions } from "./session/session-options.js";
import { dialTailnetWith } from "./tailnet/dial-tailnet.js";
import { connectTailnetWith } from "./tailnet/network.js";
import type { TailnetNetwork, WebTailnetNetworkOptions } from "./tailnet/network-options.js";
import type { TailnetVersionText, WebTailnetDialOptions } from "./tailnet/tailnet-options.js";

export type { WebDialOptions, WebSocketOptions } from "./dial/dial-options.js";
export * from "./exports.js";
export type { WebTailnetNetworkOptions } from "./tailnet/network-options.js";
export type { WebTailnetDialOptions } from "./tailnet/tailnet-options.js";

/**
 * Connects to a control plane.
 * @throws DialError when it is refused or not reachable in time, with status, message, detail and validations where
 * the runtime shows them.
 */
export function dialAgent<const V extends VersionChoice = "negotiate">(
  options: WebDialOptions<V>,
): Promise<AgentConnection<TypedVersion<V>>> {
  return dialWith(webOpener(options), options, createAgentConnection<TypedVersion<V>>);
}

/**
 * Keeps a connection to a control plane: dials, uses it, and when it is lost dials again, until it is closed or the
 * server will never take it. Ends like those of a control plane that restarts are waited out with full jitter.
 * @throws TypeError when the URL is none. Everything later is told by `states` and `ended`.
 */
export function connectAgent<const V extends VersionChoice = "negotiate">(
  options: WebDialOptions<V> & SessionOptions<V>,
): ReconnectingSession<V> {
  return connectWith(webOpener(options), options, createAgentConnection<TypedVersion<V>>);
}

/**
 * Connects to the tailnet service of a control plane as a user: `/api/v2/tailnet`, or the endpoint of one agent.
 * @throws DialError when it is refused or not reachable in time, with status, message, detail and validations where
 * the runtime shows them.
 */
export function dialTailnet<const V extends VersionChoice = TailnetVersionText>(
  options: WebTailnetDialOptions<V>,
): Promise<TailnetConnection<TypedVersion<V>>> {
  return dialTailnetWith(webOpener(options), options);
}

/**
 * Keeps in touch with the tailnet service of a control plane as a user: dials, and when the connection is lost dials
 * again with what it takes to be the same peer, until it is closed or refused at the first attempt. C9.12–C9.16.
 *
 * ```ts
 * await using network = connectTailnet({ url, token });
 * for await (const workspaces of network.workspaces(ownerId)) console.log(workspaces);
 * ```
 * @throws TypeError when the URL is none. Everything later is told by `states` and `ended`.
 */
export function connectTailnet(options: WebTailnetNetworkOptions): TailnetNetwork {
  return connectTailnetWith(webOpener(options), options);
}
