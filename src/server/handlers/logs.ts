import { formatUuid, nilUuid } from "../../codec/index.js";
import { Log_Level } from "../../gen/coder/agent/v2/agent_pb.js";
import { goQuote } from "../../rpc/index.js";
import type { LogLevel } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import { type AgentHandlers, freshAgent, type HandlerDeps } from "./deps.js";
import { doing, HandlerFailure, invalidUuid } from "./failure.js";

const levels: Readonly<Partial<Record<Log_Level, LogLevel>>> = {
  [Log_Level.TRACE]: "trace",
  [Log_Level.DEBUG]: "debug",
  [Log_Level.INFO]: "info",
  [Log_Level.WARN]: "warn",
  [Log_Level.ERROR]: "error",
};

/** Where lines go whose sender has registered no source. S3.77. */
export const externalLogSource = {
  id: "3b579bf4-1ed8-4b99-87a8-e9a1e3410410",
  displayName: "External",
  icon: "/emojis/1f310.png",
} as const;

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
      const lines = logs.map(({ output, level }) => ({
        output: sanitized(output),
        level: levels[level] ?? "info",
      }));
      const inserted = await doing("insert workspace agent logs", () =>
        deps.store.insertLogs(agentId, sourceId, createdAtUs, lines),
      );
      const hint = { topic: "workspace", ownerId, workspaceId, agentId } as const;
      if (inserted.kind === "overflow") {
        deps.events.publish({ ...hint, kind: "agt_logs_overflow" });
        return { logLimitExceeded: true };
      }
      deps.events.publish({ topic: "logs", agentId, createdAfter: inserted.firstId - 1 });
      if (inserted.wereFirst) deps.events.publish({ ...hint, kind: "agt_first_logs" });
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
  if (id !== nilUuid) return id;
  await doing("insert external workspace agent log source", () =>
    deps.store.insertLogSource({ agentId, createdAtUs, ...externalLogSource }),
  );
  return externalLogSource.id;
}

/** A NUL has no place in a stored text. Bytes that are not UTF-8 do not get through the decoder. S3.79. */
function sanitized(output: string): string {
  return output.includes("\0") ? output.replaceAll("\0", "❌") : output;
}
