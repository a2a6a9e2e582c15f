import type { AgentRecord, WorkspaceRecord } from "../../../store/index.js";

/** A user, as far as the API has to know them. */
export interface ApiUser {
  /** Requests of a user are limited together, wherever they come from. S1.3. */
  id: string;
  /**
   * What they may read: everything, or the workspaces for which this says so; `agent` is undefined where the
   * workspace is asked for. What they may not read is not there for them.
   */
  mayRead:
    | "everything"
    | ((workspace: WorkspaceRecord, agent: AgentRecord | undefined) => boolean | Promise<boolean>);
  /**
   * To which agents, of those that they may read, they may open tunnels: to all, or to those for which this says so.
   * To none by default. S4.13, S4.35.
   */
  mayConnect?:
    | "everything"
    | ((workspace: WorkspaceRecord, agent: AgentRecord) => boolean | Promise<boolean>);
}
