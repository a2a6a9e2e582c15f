/** Dialling a control plane from Node: with headers, proxies and certificates. */
import type { AgentConnection } from "./dial/connection.js";
import { dialWith, type TypedVersion } from "./dial/dial.js";
import type { NodeDialOptions, VersionChoice } from "./dial/dial-options.js";
import { nodeOpener } from "./dial/open-socket-node.js";

export type { NodeDialOptions } from "./dial/dial-options.js";
export * from "./exports.js";
export type { TokenEnvironmentOptions } from "./tokens/token-environment-node.js";
export { authKinds, tokenSourceFromEnvironment } from "./tokens/token-environment-node.js";
export { tokenFile } from "./tokens/token-file-node.js";

/**
 * Connects to a control plane.
 * @throws DialError when it is refused or not reachable in time, with status, message, detail and validations.
 */
export function dialAgent<const V extends VersionChoice = "negotiate">(
  options: NodeDialOptions<V>,
): Promise<AgentConnection<TypedVersion<V>>> {
  return dialWith(nodeOpener(options), options);
}
