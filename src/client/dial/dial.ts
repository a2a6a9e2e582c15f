import type { ApiVersionText } from "../../version/index.js";
import { formatVersion } from "../../version/index.js";
import { rpcUrl } from "../http/api-url.js";
import type { CreateConnection } from "./agent-only-connection.js";
import type { NewestVersionText } from "./connection.js";
import { dialEndpoint } from "./dial-endpoint.js";
import type { DialOptions, VersionChoice } from "./dial-options.js";
import type { SocketOpener } from "./socket-opener.js";

/** The version that a choice is typed to. */
export type TypedVersion<V extends VersionChoice> = V extends ApiVersionText ? V : NewestVersionText;

/** Dials the agent API with the WebSockets of a runtime. @param create puts the connection on the session. */
export function dialWith<C>(
  opener: SocketOpener,
  options: DialOptions,
  create: CreateConnection<C>,
): Promise<C> {
  const role = options.role ?? "agent";
  const { url, headers = {}, fetch } = options;
  return dialEndpoint(opener, options, {
    version: options.version ?? "negotiate",
    url: (version) => rpcUrl(url, formatVersion(version), role),
    connection: (session, version, token) =>
      create(session, { version, role }, { ...options, http: { url, token, headers, fetch } }),
  });
}
