import { type AgentHttpOptions, type AgentRequest, agentRequest, requestName } from "./agent-request.js";
import { AnswerFields } from "./answer-fields.js";

const request: AgentRequest = { method: "POST", route: "me/experimental/chat-context/refresh" };

/**
 * Has the chats of this agent read its context again. C1.46.
 * @returns how many have.
 * @throws HttpError when the server refuses, cannot be reached, or answers something else.
 */
export async function refreshChatContext(options: AgentHttpOptions): Promise<number> {
  const fields = new AnswerFields(requestName(options, request), await agentRequest(options, request));
  return fields.wholeNumber("refreshed");
}
