import type { DialRequest } from "../dial-request.js";
import type { HandlerDeps } from "../handlers/deps.js";
import type { InstanceIdentityOptions } from "../identity/index.js";
import type { ExternalAuth } from "./agents/external-auth-tokens.js";
import type { RateLimitOptions } from "./rate-limit.js";
import type { ApiUser } from "./users/api-user.js";

/** A key pair, as SSH has it. */
export interface GitSshKey {
  publicKey: string;
  privateKey: string;
}

/** Where SSH keys of users are. */
export interface GitSshKeys {
  /** The key of a user; undefined when there is none. */
  keyOf(ownerId: string): Promise<GitSshKey | undefined>;
}

/** The conversation of a task, as its agent has sent it. The latest of a task counts. S5.37. */
export interface LogSnapshot {
  taskId: string;
  workspaceId: string;
  agentId: string;
  format: "agentapi";
  /** The JSON object that was sent; it has `messages`. */
  data: Readonly<Record<string, unknown>>;
  receivedAtUs: number;
}

/** What the HTTP endpoints beside the RPC can be given. */
export interface HttpOptions {
  /**
   * Says which user asks, for what is there for people and their tools: `/api/v2/workspaceagents/{id}` and below, and
   * `/api/v2/tailnet`. `token` is whatever the request has as one. Throw an `ApiError` to refuse. Without it nobody is
   * known, and all of that is answered with 401.
   */
  authenticateUser?(request: DialRequest): ApiUser | Promise<ApiUser>;
  /** Where agents get tokens of git hosts for their user. No providers by default. */
  externalAuth?: ExternalAuth;
  /** Where agents get the SSH key of their user. By default there are none, and asking for one is answered with 500. */
  gitSshKeys?: GitSshKeys;
  /** Which clouds may say who a machine is. None by default. S5.39. */
  instanceIdentity?: InstanceIdentityOptions;
  /** Keeps what an agent sends of its task's conversation. By default there are no tasks for that. S5.37. */
  saveLogSnapshot?(snapshot: LogSnapshot): void | Promise<void>;
  /** Limits requests by caller and path; off by default. Behind a proxy all callers have its address. S1.3. */
  rateLimit?: RateLimitOptions;
  /** Where people reach this server, without a slash at the end; by default where the request came to. */
  accessUrl?: string;
  /** Shown for agents that have none of their own. */
  troubleshootingUrl?: string;
  /** How clients are to connect to agents. */
  network?: { forceWebSockets?: boolean; disableDirectConnections?: boolean; hostnameSuffix?: string };
  /** Streams of events and messages, and sessions of users, are pinged so often; 15,000 by default. S5.31, S4.32. */
  streamPingIntervalMs?: number;
}

/** What the endpoints work with. */
export interface HttpDeps extends HttpOptions {
  handlers: HandlerDeps;
  /** An agent that has not been seen for so long is disconnected. S2.3. */
  disconnectTimeoutMs: number;
}
