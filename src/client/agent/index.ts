/**
 * The agent service alone, dialled in any runtime with a `WebSocket`. On Node this entry is replaced by one with
 * headers, proxies and certificates.
 */
import { dialWith, type TypedVersion } from "../dial/dial.js";
import type { VersionChoice, WebDialOptions } from "../dial/dial-options.js";
import { webOpener } from "../dial/open-socket.js";
import { connectWith } from "../session/connect-with.js";
import {
  type AgentConnection,
  createAgentConnection,
  type ReconnectingSession,
  type SessionOptions,
} from "./connections.js";

export type { WebDialOptions, WebSocketOptions } from "../dial/dial-options.js";
export * from "./connections.js";
export * from "./exports.js";

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
