import type { CreateConnection } from "../dial/agent-only-connection.js";
import { dialWith } from "../dial/dial.js";
import type { DialOptions } from "../dial/dial-options.js";
import type { SocketOpener } from "../dial/socket-opener.js";
import { apiUrl } from "../http/api-url.js";
import { followReinits } from "./follow-reinits.js";
import { type AgentsConnection, sessionWith } from "./session.js";
import type { SessionOptionsOver, SessionOver } from "./session-options.js";

/**
 * Begins a session that dials with the WebSockets of a runtime.
 * @param create puts a connection on what was dialled.
 * @param fetch for what belongs to its connections.
 * @throws TypeError when the URL is none.
 */
export function connectWith<C extends AgentsConnection>(
  opener: SocketOpener,
  options: DialOptions & SessionOptionsOver<C>,
  create: CreateConnection<C>,
  fetch = options.fetch,
): SessionOver<C> {
  // a mistake of the caller's is told to the caller
  apiUrl(options.url, "me/rpc");
  const session = sessionWith((signal) => dialWith(opener, { ...options, fetch, signal }, create), options);
  const { url, token, headers, onReinit } = options;
  if (options.reinit === true) {
    followReinits(session, { url, token, headers, fetch }, onReinit?.bind(options));
  }
  return session;
}
