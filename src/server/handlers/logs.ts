import { formatUuid, nilUuid } from "../../codec/index.js";
import { Log_Level } from "../../gen/coder/agent/v2/agent_pb.js";
import { goQuote } from "../../rpc/index.js";
import type { LogLevel } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import { type AgentHandlers, freshAgent, type HandlerDeps } from "./deps.js";
import { HandlerFailure, invalidUuid } from "./failure.js";
import { insertExternalSource, insertLines, publishOverflow } from "./insert-lines.js";

const levels: Readonly<Partial<Record<Log_Level, LogLevel>>> = {
  [Log_Level.TRACE]: "trace",
  [Log_Level.DEBUG]: "debug",
  [Log_Level.INFO]: "info",
  [Log_Level.WARN]: "warn",
  [Log_Level.ERROR]: "error",
};

/** BatchCreateLogs. S3.76–S3.83. */
export function logHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async batchCreateLogs({ logSourceId, logs }, context) {
      const { agentId, ownerId, workspaceId } = sessionOf(context);
      const agent = await freshAgent(deps, agentId);
      if (agent.logsOverflowed) return { logLimitExceeded: true };
      if (logs.length === 0) return {};
      const createdAtUs = deps.nowUs();
      const sourceId = await sourceOf(deps, agentId, logSourceId, createdAtUs);
      const lines = logs.map(({ output, level }) => ({ output, level: levels[level] ?? "info" }));
      const owner = { agentId, ownerId, workspaceId };
      const inserted = await insertLines(deps, owner, sourceId, createdAtUs, lines);
      if (inserted.kind === "overflow") {
        publishOverflow(deps, owner);
        return { logLimitExceeded: true };
      }
      return {};
    },
  };
}

async function sourceOf(
  deps: HandlerDeps,
  agentId: string,
  bytes: Uint8Array,
  createdAtUs: number,
): Promise<string> {
  const id = formatUuid(bytes);
  if (id === undefined)
    throw new HandlerFailure(`parse log source ID ${goQuote(bytes)}: ${invalidUuid(bytes)}`);
  return id === nilUuid ? insertExternalSource(deps, agentId, createdAtUs) : id;
}
