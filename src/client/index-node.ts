/** Dialling a control plane from Node: with headers, proxies and certificates. */
import { type AgentConnection, createAgentConnection } from "./dial/agent-connection.js";
import type { TypedVersion } from "./dial/dial.js";
import { connectFromNode, dialFromNode } from "./dial/dial-node.js";
import type { NodeDialOptions, VersionChoice } from "./dial/dial-options.js";
import { nodeOpener } from "./dial/open-socket-node.js";
import type { TailnetConnection } from "./dial/tailnet-connection.js";
import type { ReconnectingSession, SessionOptions } from "./session/session-options.js";
import { dialTailnetWith } from "./tailnet/dial-tailnet.js";
import { connectTailnetWith } from "./tailnet/network.js";
import type { NodeTailnetNetworkOptions, TailnetNetwork } from "./tailnet/network-options.js";
import type { NodeTailnetDialOptions, TailnetVersionText } from "./tailnet/tailnet-options.js";

export * from "./agent/exports-node.js";
export * from "./exports.js";
export type { NodeTailnetNetworkOptions } from "./tailnet/network-options.js";
export type { NodeTailnetDialOptions } from "./tailnet/tailnet-options.js";

/**
 * Connects to a control plane.
 * @throws DialError when it is refused or not reachable in time, with status, message, detail and validations.
 */
export function dialAgent<const V extends VersionChoice = "negotiate">(
  options: NodeDialOptions<V>,
): Promise<AgentConnection<TypedVersion<V>>> {
  return dialFromNode(options, createAgentConnection<TypedVersion<V>>);
}

/**
 * Keeps a connection to a control plane: dials, uses it, and when it is lost dials again, until it is closed or the
 * server will never take it. Ends like those of a control plane that restarts are waited out with full jitter.
 * @throws TypeError when the URL is none. Everything later is told by `states` and `ended`.
 */
export function connectAgent<const V extends VersionChoice = "negotiate">(
  options: NodeDialOptions<V> & SessionOptions<V>,
): ReconnectingSession<V> {
  return connectFromNode(options, createAgentConnection<TypedVersion<V>>);
}

/**
 * Connects to the tailnet service of a control plane as a user: `/api/v2/tailnet`, or the endpoint of one agent.
 * @throws DialError when it is refused or not reachable in time, with status, message, detail and validations.
 */
export function dialTailnet<const V extends VersionChoice = TailnetVersionText>(
  options: NodeTailnetDialOptions<V>,
): Promise<TailnetConnection<TypedVersion<V>>> {
  return dialTailnetWith(nodeOpener(options), options);
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
export function connectTailnet(options: NodeTailnetNetworkOptions): TailnetNetwork {
  return connectTailnetWith(nodeOpener(options), options);
}
