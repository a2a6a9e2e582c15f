import { type ApiVersion, formatVersion } from "../../version/index.js";
import type { TypedVersion } from "../dial/dial.js";
import { dialEndpoint } from "../dial/dial-endpoint.js";
import type { VersionChoice } from "../dial/dial-options.js";
import type { SocketOpener } from "../dial/socket-opener.js";
import { createTailnetConnection, type TailnetConnection } from "../dial/tailnet-connection.js";
import { serverUrl } from "../http/api-url.js";
import { uuidOption } from "../uuid-option.js";
import type { TailnetDialOptions, TailnetVersionText } from "./tailnet-options.js";

const defaultVersion: TailnetVersionText = "2.3";

/** Dials the tailnet service with the WebSockets of a runtime. */
export function dialTailnetWith<V extends VersionChoice>(
  opener: SocketOpener,
  options: TailnetDialOptions<V>,
): Promise<TailnetConnection<TypedVersion<V>>> {
  const { resumeToken } = options;
  return dialEndpoint(opener, options, {
    version: options.version ?? defaultVersion,
    url: (version) => tailnetUrl(options, version),
    secrets: resumeToken === undefined ? [] : [resumeToken],
    connection: (session, version) => createTailnetConnection(session, version, options),
  });
}

/**
 * The endpoint on a control plane: the keys of its query in order, no role. C9.14.
 * @throws TypeError when the text is no URL, or not one of http, https, ws and wss, or the agent's id is no UUID.
 */
export function tailnetUrl(
  { url, agentId, resumeToken }: Pick<TailnetDialOptions, "url" | "agentId" | "resumeToken">,
  version: ApiVersion,
): URL {
  const endpoint = serverUrl(url, pathFor(agentId));
  endpoint.protocol = endpoint.protocol.replace("http", "ws");
  if (resumeToken !== undefined) endpoint.searchParams.set("resume_token", resumeToken);
  endpoint.searchParams.set("version", formatVersion(version));
  return endpoint;
}

function pathFor(agentId: string | undefined): string {
  if (agentId === undefined) return "/api/v2/tailnet";
  return `/api/v2/workspaceagents/${uuidOption("agentId", agentId)}/coordinate`;
}
