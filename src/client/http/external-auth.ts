import { type AgentHttpOptions, type AgentRequest, agentRequest, requestName } from "./agent-request.js";
import { AnswerFields } from "./answer-fields.js";

/** Which service a token is wanted for. Exactly one of `id` and `match`. */
export interface ExternalAuthRequest extends AgentHttpOptions {
  /** The provider's id. */
  id?: string | undefined;
  /** A URL of the service: the server looks for the provider. */
  match?: string | undefined;
  /** Waits until the user has linked with the service. There is no time-out then but what `timeoutMs` says. */
  listen?: boolean | undefined;
  /** The branch that git is on. */
  gitBranch?: string | undefined;
  /** The URL of git's `origin`. */
  gitRemoteOrigin?: string | undefined;
  /** A UUID. */
  chatId?: string | undefined;
}

/** A token of the workspace's owner for another service, or where to link with it. */
export interface ExternalAuthToken {
  /** A secret; empty when the user has to link first: see `url`. */
  accessToken: string;
  /** What else the service gave with the token. */
  tokenExtra: Readonly<Record<string, unknown>> | undefined;
  /** Where the user links with the service; empty when there is a token. */
  url: string;
  /** The kind of the service, such as `github`. */
  type: string;
  /** Undefined when it does not expire. */
  expiresAt: Date | undefined;
  /** For git over HTTP. */
  username: string;
  /** For git over HTTP; a secret where there is one. */
  password: string;
}

/**
 * Gets a token for another service. C1.45, C1.48: `id` and `match` are always sent, the others where they are set.
 * @throws HttpError when the server refuses (404: it has no such provider), cannot be reached, or answers something
 * else.
 */
export async function fetchExternalAuth(options: ExternalAuthRequest): Promise<ExternalAuthToken> {
  const request: AgentRequest = { method: "GET", route: "me/external-auth", query: queryOf(options) };
  const { listen, timeoutMs = listen ? Number.POSITIVE_INFINITY : undefined } = options;
  const answer = await agentRequest({ ...options, timeoutMs }, request);
  const fields = new AnswerFields(requestName(options, request), answer);
  return {
    accessToken: fields.text("access_token"),
    tokenExtra: fields.object("token_extra"),
    url: fields.text("url"),
    type: fields.text("type"),
    expiresAt: fields.time("expires_at"),
    username: fields.text("username"),
    password: fields.text("password"),
  };
}

function queryOf(options: ExternalAuthRequest): Record<string, string> {
  const { id = "", match = "", listen, gitBranch, gitRemoteOrigin, chatId } = options;
  return {
    id,
    match,
    ...(listen ? { listen: "true" } : {}),
    ...(gitBranch ? { git_branch: gitBranch } : {}),
    ...(gitRemoteOrigin ? { git_remote_origin: gitRemoteOrigin } : {}),
    ...(chatId ? { chat_id: chatId } : {}),
  };
}
