import { type AgentHttpOptions, type AgentRequest, agentRequest, requestName } from "./agent-request.js";
import { AnswerFields } from "./answer-fields.js";

/** A key for git over SSH. */
export interface GitSshKey {
  /** As a line of `authorized_keys`. */
  publicKey: string;
  /** A secret, as PEM. */
  privateKey: string;
}

const request: AgentRequest = { method: "GET", route: "me/gitsshkey" };

/**
 * Gets the SSH key of the workspace's owner. C1.41.
 * @throws HttpError when the server refuses (403: not for this agent), cannot be reached, or answers something else.
 */
export async function fetchGitSshKey(options: AgentHttpOptions): Promise<GitSshKey> {
  const fields = new AnswerFields(requestName(options, request), await agentRequest(options, request));
  return { publicKey: fields.text("public_key"), privateKey: fields.text("private_key") };
}
