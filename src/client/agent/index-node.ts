/** The agent service alone, dialled from Node: with headers, proxies and certificates. */
import type { TypedVersion } from "../dial/dial.js";
import { connectFromNode, dialFromNode } from "../dial/dial-node.js";
import type { NodeDialOptions, VersionChoice } from "../dial/dial-options.js";
import {
  type AgentConnection,
  createAgentConnection,
  type ReconnectingSession,
  type SessionOptions,
} from "./connections.js";

export * from "./connections.js";
export * from "./exports.js";
export * from "./exports-node.js";

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
