import type { UpdateAppStatusRequest_AppStatusState as AppStatusState } from "../../gen/coder/agent/v2/agent_pb.js";
import { type AgentHttpOptions, type AgentRequest, agentRequest } from "./agent-request.js";
import { appStatusWord } from "./words.js";

/** What an app says of itself. */
export interface PatchAppStatusRequest extends AgentHttpOptions {
  /** Which app. */
  slug: string;
  state: AppStatusState;
  /** For people; servers take 160 characters. */
  message: string;
  /** Where to see more. */
  uri?: string | undefined;
  /** Newer servers do not look at it. */
  icon?: string | undefined;
  /** Newer servers do not look at it. */
  needsUserAttention?: boolean | undefined;
}

/**
 * Reports the status of an app, in one request: `UpdateAppStatus` of 2.8 for servers that are older, and for those
 * without a connection. C1.43.
 * @throws HttpError when the server refuses (400: there is no such app, or the message is too long) or cannot be
 * reached.
 * @throws TypeError for a state that there is not.
 */
export async function patchAppStatus(options: PatchAppStatusRequest): Promise<void> {
  await agentRequest(options, appStatusRequest(options, wordFor(options.state)));
}

/** The request that reports a status. C1.43. @param state as the HTTP API says it. */
export function appStatusRequest(
  status: Omit<PatchAppStatusRequest, "state" | keyof AgentHttpOptions>,
  state: string,
): AgentRequest {
  const { slug, message, uri = "", icon = "", needsUserAttention = false } = status;
  const body = { app_slug: slug, state, message, uri, icon, needs_user_attention: needsUserAttention };
  return { method: "PATCH", route: "me/app-status", body };
}

/** C1.52. */
function wordFor(state: AppStatusState): string {
  const word = appStatusWord(state);
  if (word === undefined) throw new TypeError(`Invalid state: ${state}`);
  return word;
}
