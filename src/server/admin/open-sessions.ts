import type { AgentSession } from "../agent-session.js";
import type { RpcSession } from "../rpc-endpoint.js";

/** A session over WebSocket with an agent's token that is open. */
export interface OpenSession {
  readonly agentId: string;
  readonly workspaceId: string;
  readonly ownerId: string;
  /** As the client wrote it; `agent` where it wrote none. */
  readonly role: string;
  /** As the client wrote it, such as `2.10`. */
  readonly apiVersion: string;
  readonly remoteAddress: string | undefined;
  /** Microseconds since 1970. */
  readonly startedAtUs: number;
}

/** Told of a session that has begun or ended. Must not throw. */
export type OnSessionChange = (session: OpenSession) => void;

/** The sessions of agents, and of tools beside them, that are open on this server. */
export class OpenSessions {
  readonly #byAgent = new Map<string, Set<OpenSession>>();
  readonly #listeners = new Set<OnSessionChange>();

  /** Counts a session in. @returns what counts it out. */
  add(
    { agentId, workspaceId, ownerId }: Pick<AgentSession, "agentId" | "workspaceId" | "ownerId">,
    { role, apiVersion, remoteAddress }: Pick<RpcSession<unknown>, "role" | "apiVersion" | "remoteAddress">,
    startedAtUs: number,
  ): () => void {
    const session: OpenSession = {
      agentId,
      workspaceId,
      ownerId,
      role: role === "" ? "agent" : role,
      apiVersion,
      remoteAddress,
      startedAtUs,
    };
    const sessions = this.#byAgent.get(agentId) ?? new Set();
    this.#byAgent.set(agentId, sessions.add(session));
    this.#tell(session);
    return () => {
      if (!sessions.delete(session)) return;
      if (sessions.size === 0 && this.#byAgent.get(agentId) === sessions) this.#byAgent.delete(agentId);
      this.#tell(session);
    };
  }

  /** Those with an agent's token, oldest first. */
  of(agentId: string): readonly OpenSession[] {
    return [...(this.#byAgent.get(agentId) ?? [])];
  }

  /** Tells of each session that begins or ends. @returns what ends that. */
  onChange(listener: OnSessionChange): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(session: OpenSession): void {
    for (const listener of this.#listeners) listener(session);
  }
}
