import { z } from "zod";
import { nilUuid } from "../../../codec/index.js";
import { errorText } from "../../../rpc/error-text.js";
import { goQuote } from "../../../rpc/index.js";
import type { LogLevel } from "../../../store/index.js";
import { ApiError } from "../../api-error.js";
import { insertExternalSource, insertLines, publishOverflow } from "../../handlers/insert-lines.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import { readJson, textField, uuidField } from "../request-body.js";
import type { AgentCall, RouteAnswer } from "../routes.js";

/** As much as a message of the RPC may have. */
const maxBodyBytes = 4 * 1024 * 1024;

const levels: ReadonlyMap<string, LogLevel> = new Map([
  ["", "info"],
  ["trace", "trace"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warn"],
  ["error", "error"],
]);

const line = z.object({ output: textField, level: textField });
const bodySchema = z.object({ log_source_id: uuidField, logs: z.array(line).nullish() });

/**
 * `PATCH /me/logs`: BatchCreateLogs of before the RPC. Unlike that, it takes a batch that still fits after one that
 * did not. S5.5–S5.11.
 */
export async function patchLogs({ handlers }: HttpDeps, call: AgentCall): Promise<RouteAnswer> {
  const { agent, workspace } = call.identity;
  const { log_source_id: givenId, logs } = await readJson(call.request, bodySchema, maxBodyBytes);
  if (!logs || logs.length === 0) throw new ApiError(400, "No logs provided.");
  const createdAtUs = handlers.nowUs();
  const sourceId =
    givenId === nilUuid
      ? await orRefuse("Failed to create external log source.", () =>
          insertExternalSource(handlers, agent.id, createdAtUs),
        )
      : givenId;
  const lines = logs.map(({ output, level }) => ({ output, level: levelOf(level) }));
  const owner = { agentId: agent.id, ownerId: workspace.ownerId, workspaceId: workspace.id };
  const inserted = await orRefuse("Failed to upload logs", () =>
    insertLines(handlers, owner, sourceId, createdAtUs, lines),
  );
  if (inserted.kind === "stored") return jsonAnswer(200, null);
  if (agent.logsOverflowed) {
    throw new ApiError(413, "Logs limit exceeded", { detail: "the agent's logs are at their limit" });
  }
  publishOverflow(handlers, owner);
  throw new ApiError(413, "Logs limit exceeded");
}

function levelOf(word: string): LogLevel {
  const level = levels.get(word);
  if (level !== undefined) return level;
  throw new ApiError(400, "Invalid log level provided.", { detail: `invalid log level: ${goQuote(word)}` });
}

async function orRefuse<T>(message: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new ApiError(500, message, { detail: errorText(error) });
  }
}
