import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import { sessionOf } from "../agent-session.js";
import type { ApiUser } from "../http/users/api-user.js";
import type { ReachedAt } from "../reached-at.js";
import type { Peer } from "./coordinator.js";
import type { LastingStreams } from "./lasting-streams.js";
import { agentRule } from "./tunnel-auth.js";

/** Whose calls of the tailnet service these are. */
export interface TailnetSession {
  /** What it is to the coordinator. */
  peer: Peer;
  /** The agent itself, or the one that a client may reach over this connection; undefined for all of a user's. */
  agentId: string | undefined;
  /** Undefined on the connection of an agent. */
  user: ApiUser | undefined;
  /** Where the caller reached this server; undefined where that is not known. */
  reachedAt?: ReachedAt | undefined;
  /** The session's coordinations, which a goodbye on the user's behalf ends; those of agents have none. */
  coordinations?: LastingStreams;
}

/** Set for connections of users; on those of agents the agent's session is there. */
export const tailnetSessionKey = createContextKey<TailnetSession | undefined>(undefined, {
  description: "whose calls of the tailnet service these are",
});

/**
 * The session of a call. S4.2.
 * @throws ConnectError when nobody has authenticated it.
 */
export function tailnetSessionOf(context: HandlerContext): TailnetSession {
  const session = context.values.get(tailnetSessionKey);
  if (session !== undefined) return session;
  const { agentId, agentName, ownerUsername, workspaceName, reachedAt } = sessionOf(context);
  const name = `${ownerUsername}-${workspaceName}-${agentName}`;
  return { peer: { id: agentId, name, authorize: agentRule(agentId) }, agentId, user: undefined, reachedAt };
}
