import { Code, ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { AgentRecord, WorkspaceRecord } from "../store/index.js";
import type { ReachedAt } from "./reached-at.js";

/** Whose calls these are: taken when the connection begins, and not looked up again. S3.1. */
export interface AgentSession {
  agentId: string;
  agentName: string;
  workspaceId: string;
  workspaceName: string;
  /** As it was when the session began; that of prebuilds for a workspace that nobody had claimed. */
  ownerId: string;
  ownerUsername: string;
  organizationId: string;
  templateId: string;
  templateName: string;
  /** The build that the agent is of. */
  buildId: string;
  /** As the client wrote it when dialling; the newest for calls over HTTP protocols. */
  apiVersion: string;
  /** As the client wrote it; an empty text means `agent`. Undefined for calls over HTTP protocols. */
  role: string | undefined;
  /** Where the agent reached this server; undefined where that is not known. */
  reachedAt?: ReachedAt | undefined;
}

/** In a handler: `context.values.get(agentSessionKey)`. */
export const agentSessionKey = createContextKey<AgentSession | undefined>(undefined, {
  description: "the agent whose calls these are",
});

/** An agent and its workspace, as found by a token. */
export interface AgentIdentity {
  agent: AgentRecord;
  workspace: WorkspaceRecord;
}

/** The session of an agent that has just been authenticated. */
export function agentSession(
  { agent, workspace }: AgentIdentity,
  apiVersion: string,
  role?: string,
  reachedAt?: ReachedAt,
): AgentSession {
  return {
    agentId: agent.id,
    agentName: agent.name,
    workspaceId: workspace.id,
    workspaceName: workspace.name,
    ownerId: workspace.ownerId,
    ownerUsername: workspace.ownerUsername,
    organizationId: workspace.organizationId,
    templateId: workspace.templateId,
    templateName: workspace.templateName,
    buildId: agent.buildId,
    apiVersion,
    role,
    reachedAt,
  };
}

/**
 * The session of a call.
 * @throws ConnectError when nobody has authenticated it, which is a mistake in how the handlers are mounted.
 */
export function sessionOf(context: HandlerContext): AgentSession {
  const session = context.values.get(agentSessionKey);
  if (session === undefined) throw new ConnectError("the call has no agent session", Code.Unauthenticated);
  return session;
}

/** True for the roles whose connections make an agent look connected. S1.21. */
export function isAgentRole(role: string): boolean {
  return role === "" || role === "agent";
}
