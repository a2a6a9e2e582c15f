import type { DefinedAgent, WorkspaceDefinition } from "./definition.js";
import type {
  AgentRecord,
  BoundaryLogRecord,
  BuildRecord,
  ResourceSample,
  StatsRecord,
  TelemetryRecord,
  WorkspaceRecord,
} from "./records.js";
import type { SigningKeyStore } from "./signing-keys.js";
import type { AgentStore } from "./store.js";

/** A build to record. */
export interface NewBuild {
  transition: BuildRecord["transition"];
  /** `succeeded` by default: a control plane without provisioners has nothing to wait for. */
  job?: BuildRecord["job"];
  /** The workspace's owner by default. */
  initiatorId?: string;
}

/** What agents have sent and no handler reads again: for people, pages and tests. Newest last. */
export interface AgentReports {
  stats: readonly StatsRecord[];
  resourceSamples: readonly ResourceSample[];
  boundaryLogs: readonly BoundaryLogRecord[];
  telemetry: readonly TelemetryRecord[];
}

/**
 * A store that also declares what there is, and has what servers sign with: what a control plane without provisioners
 * needs beside the handlers. A server implementer who has workspaces already implements {@link AgentStore} alone.
 */
export interface ControlPlaneStore extends AgentStore, SigningKeyStore {
  /**
   * Declares workspaces: what is new is added, what has changed is updated, what is the same stays as it is. Agents
   * keep their ids and tokens; agents that are declared no more are deleted, other workspaces stay.
   * @returns all agents that were declared, in that order.
   * @throws StoreConflict when two things have the same name, or two agents the same token; nothing is changed then.
   */
  define(definitions: readonly WorkspaceDefinition[]): Promise<DefinedAgent[]>;
  /** All workspaces, by owner and name. */
  workspaces(): Promise<readonly WorkspaceRecord[]>;
  /** The agents of a workspace, with those that agents made, oldest first. */
  agents(workspaceId: string): Promise<readonly AgentRecord[]>;
  /** With all that belongs to it. */
  deleteWorkspace(id: string): Promise<void>;
  /**
   * Records a build. Once its job has succeeded, the agents of earlier builds are gone (S9.1), and it has agents like
   * them, with their tokens and new ids, which may connect after a `start`. After a `delete` there are none.
   * @throws StoreConflict when there is no such workspace.
   */
  newBuild(workspaceId: string, build: NewBuild): Promise<BuildRecord>;
  /**
   * Gives a prebuilt workspace to its owner, under a name of its own, with a build that says so.
   * @throws StoreConflict when it is not there, belongs to somebody already, or the owner has one of that name.
   */
  claim(workspaceId: string, owner: string, name: string): Promise<BuildRecord>;
  /** Sets a secret of a user; undefined removes it. */
  setSecret(
    owner: string,
    name: string,
    secret: { envName: string; filePath: string; value: Uint8Array } | undefined,
  ): Promise<void>;
  /** What an agent has sent, at most so many of each. */
  reports(agentId: string, limit: number): Promise<AgentReports>;
  /** Finishes what is under way and gives back what it holds. */
  close(): Promise<void>;
}
