/** The names that `agentwire/client` has for connections and their sessions, without the tailnet service. */
import type { AgentOnlyConnection } from "../dial/agent-only-connection.js";
import type { TypedVersion } from "../dial/dial.js";
import type { VersionChoice } from "../dial/dial-options.js";
import type { SessionOptionsOver, SessionOver } from "../session/session-options.js";
import type { SessionState as StateOver } from "../session/states.js";

export type { AgentOnlyConnection as AgentConnection } from "../dial/agent-only-connection.js";
export { createAgentOnlyConnection as createAgentConnection } from "../dial/agent-only-connection.js";

/** How a session of an agent behaves, whatever it dials with. */
export type SessionOptions<V extends VersionChoice = "negotiate"> = SessionOptionsOver<
  AgentOnlyConnection<TypedVersion<V>>
>;

/** A session of an agent, or beside one, that lives on over many connections. */
export type ReconnectingSession<V extends VersionChoice = "negotiate"> = SessionOver<
  AgentOnlyConnection<TypedVersion<V>>
>;

/** Where a session is. */
export type SessionState<C = AgentOnlyConnection> = StateOver<C>;
