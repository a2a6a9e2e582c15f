import { Log_Level as LogLevel } from "../../gen/coder/agent/v2/agent_pb.js";
import type { JsonLog } from "../logs/log-json.js";
import type { LogLine } from "../logs/log-line.js";
import { type AgentHttpOptions, type AgentRequest, agentRequest } from "./agent-request.js";
import { externalLogSourceId } from "./log-source.js";
import { logLevelWord } from "./words.js";

/** Lines to store without a connection. */
export interface PatchLogsRequest extends AgentHttpOptions {
  /** A UUID; `externalLogSourceId` by default. */
  logSourceId?: string | undefined;
  /** At least one. */
  logs: readonly LogLine[];
}

/**
 * Stores lines as logs of the agent, in one request: what `LogSender` does over a connection, for those that have
 * none. C1.42.
 * @throws HttpError when the server refuses or cannot be reached. Its status is 413 when the agent's logs are full:
 * no retry changes that. C1.18.
 * @throws TypeError for a level that there is not.
 */
export async function patchLogs(options: PatchLogsRequest): Promise<void> {
  const { logSourceId = externalLogSourceId, logs } = options;
  const now = new Date();
  const lines = logs.map(({ createdAt = now, output, level = LogLevel.INFO }) => ({
    created_at: createdAt.toISOString(),
    output,
    level: wordFor(level),
  }));
  await agentRequest(options, logsRequest(logSourceId, lines));
}

/** The request that stores lines. C1.42. */
export function logsRequest(sourceId: string, logs: readonly JsonLog[]): AgentRequest {
  return { method: "PATCH", route: "me/logs", body: { log_source_id: sourceId, logs } };
}

/** C1.51. */
function wordFor(level: LogLevel): string {
  const word = logLevelWord(level);
  if (word === undefined) throw new TypeError(`unknown log level: ${level}`);
  return word;
}
