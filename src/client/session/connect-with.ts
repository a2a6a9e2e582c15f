import { dialWith } from "../dial/dial.js";
import type { DialOptions, VersionChoice } from "../dial/dial-options.js";
import type { SocketOpener } from "../dial/socket-opener.js";
import { apiUrl } from "../http/api-url.js";
import { followReinits } from "./follow-reinits.js";
import { sessionWith } from "./session.js";
import type { ReconnectingSession, SessionOptions } from "./session-options.js";

/**
 * Begins a session that dials with the WebSockets of a runtime.
 * @param fetch for what belongs to its connections.
 * @throws TypeError when the URL is none.
 */
export function connectWith<V extends VersionChoice>(
  opener: SocketOpener,
  options: DialOptions<V> & SessionOptions<V>,
  fetch = options.fetch,
): ReconnectingSession<V> {
  // a mistake of the caller's is told to the caller
  apiUrl(options.url, "me/rpc");
  const session = sessionWith<V>((signal) => dialWith(opener, { ...options, fetch, signal }), options);
  const { url, token, headers, onReinit } = options;
  if (options.reinit === true) {
    followReinits(session, { url, token, headers, fetch }, onReinit?.bind(options));
  }
  return session;
}
