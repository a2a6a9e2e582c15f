import { type AgentHttpOptions, agentRequest } from "./agent-request.js";

/** The log source that every server knows, for logs from outside the agent. C1.49. */
export const externalLogSourceId = "3b579bf4-1ed8-4b99-87a8-e9a1e3410410";

/** A log source to register. */
export interface LogSourceRequest extends AgentHttpOptions {
  /** A UUID. The same id again is fine. */
  id: string;
  /** What people read beside the lines. */
  displayName: string;
  /** A path or URL of a picture. */
  icon?: string;
}

/**
 * Registers where log lines come from, so that they are shown under a name. C1.44, C7.2.
 * @throws HttpError when the server refuses or cannot be reached.
 */
export async function registerLogSource(options: LogSourceRequest): Promise<void> {
  const { id, displayName, icon = "" } = options;
  const body = { id, display_name: displayName, icon };
  await agentRequest(options, { method: "POST", route: "me/log-source", body, status: 201 });
}
