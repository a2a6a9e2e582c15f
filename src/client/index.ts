/**
 * Dialling a control plane, in any runtime with a `WebSocket`. On Node this entry is replaced by one with headers,
 * proxies and certificates.
 */
import type { AgentConnection } from "./dial/connection.js";
import { dialWith, type TypedVersion } from "./dial/dial.js";
import type { VersionChoice, WebDialOptions } from "./dial/dial-options.js";
import { webOpener } from "./dial/open-socket.js";

export type { WebDialOptions } from "./dial/dial-options.js";
export * from "./exports.js";

/**
 * Connects to a control plane.
 * @throws DialError when it is refused or not reachable in time, with status, message, detail and validations where
 * the runtime shows them.
 */
export function dialAgent<const V extends VersionChoice = "negotiate">(
  options: WebDialOptions<V>,
): Promise<AgentConnection<TypedVersion<V>>> {
  return dialWith(webOpener(options), options);
}
