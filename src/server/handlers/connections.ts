import { isIP } from "node:net";
import { nilUuid } from "../../codec/index.js";
import { Connection_Action, Connection_Type } from "../../gen/coder/agent/v2/agent_pb.js";
import { goQuote } from "../../rpc/index.js";
import type { ConnectionReport } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { HandlerFailure, uuidIn } from "./failure.js";
import { enumText } from "./lifecycle.js";
import { timestampUs } from "./time.js";

const actions: Readonly<Partial<Record<Connection_Action, ConnectionReport["action"]>>> = {
  [Connection_Action.CONNECT]: "connected",
  [Connection_Action.DISCONNECT]: "disconnected",
};

const types: Readonly<Partial<Record<Connection_Type, ConnectionReport["type"]>>> = {
  [Connection_Type.SSH]: "ssh",
  [Connection_Type.VSCODE]: "vscode",
  [Connection_Type.JETBRAINS]: "jetbrains",
  [Connection_Type.RECONNECTING_PTY]: "reconnecting_pty",
};

/** ReportConnection. S3.87–S3.90. */
export function connectionHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async reportConnection({ connection }, context) {
      const { agentId, agentName, workspaceId } = sessionOf(context);
      const connectionId = uuidIn(connection?.id ?? new Uint8Array(0), "connection id from bytes: ");
      if (connection === undefined || connectionId === nilUuid)
        throw new HandlerFailure("connection ID cannot be nil");
      const action = actions[connection.action];
      if (action === undefined) {
        const name = enumText(Connection_Action, connection.action);
        throw new HandlerFailure(`unknown agent connection action ${goQuote(name)}`);
      }
      const type = types[connection.type];
      if (type === undefined) {
        throw new HandlerFailure(
          `unknown agent connection type ${goQuote(enumText(Connection_Type, connection.type))}`,
        );
      }
      deps.batches.connectionReports.add({
        connectionId,
        workspaceId,
        agentId,
        agentName,
        atUs: timestampUs(connection.timestamp),
        action,
        type,
        ip: addressOf(connection.ip),
        statusCode: action === "disconnected" ? connection.statusCode : undefined,
        reason: connection.reason === "" ? undefined : connection.reason,
      });
      return {};
    },
  };
}

/** An address that cannot be read is left out; a report is not refused for it. S3.89. */
function addressOf(ip: string): string | undefined {
  if (ip === "localhost") return "127.0.0.1";
  return isIP(ip) === 0 ? undefined : ip;
}
