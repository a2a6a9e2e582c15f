import { normalizeUuid } from "../../../codec/index.js";
import { goQuote } from "../../../rpc/index.js";
import { ApiError } from "../../api-error.js";
import { emptyAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import { QueryReader } from "../query.js";
import { readText } from "../request-body.js";
import type { AgentCall, RouteAnswer } from "../routes.js";
import { notFound } from "../users/access.js";

const maxBodyBytes = 64 * 1024;
const format = "agentapi";

/** `POST /me/tasks/{task}/log-snapshot`: keeps the conversation of the workspace's task. S5.35–S5.37. */
export async function postLogSnapshot(deps: HttpDeps, call: AgentCall): Promise<RouteAnswer> {
  const taskId = normalizeUuid(call.params["task"] ?? "");
  if (taskId === undefined) throw new ApiError(400, "Invalid task ID format.");
  checkFormat(call.query);
  const { agent, workspace } = call.identity;
  if (deps.saveLogSnapshot === undefined || workspace.task?.id !== taskId) throw notFound();
  const data = await readPayload(call);
  await deps.saveLogSnapshot({
    taskId,
    workspaceId: workspace.id,
    agentId: agent.id,
    format,
    data,
    receivedAtUs: deps.handlers.nowUs(),
  });
  return emptyAnswer(204);
}

function checkFormat(query: URLSearchParams): void {
  const reader = new QueryReader(query);
  const given = reader.required("format");
  reader.checkAll();
  if (given === format) return;
  const detail = `Only "${format}" format is currently supported, got ${goQuote(given)}.`;
  throw new ApiError(400, "Invalid format parameter.", { detail });
}

async function readPayload({ request }: AgentCall): Promise<Record<string, unknown>> {
  const payload = await readText(request, maxBodyBytes).then(decoded, (error: unknown) => {
    throw notDecoded(error instanceof ApiError ? "http: request body too large" : "unexpected EOF");
  });
  const { messages } = payload;
  if (messages === undefined || messages === null) {
    const detail = 'Missing required "messages" field.';
    throw new ApiError(400, "Invalid agentapi payload structure.", { detail });
  }
  if (!Array.isArray(messages)) throw notDecoded("messages must be an array");
  return payload;
}

function decoded(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw notDecoded(String(error));
  }
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw notDecoded("the body must be a JSON object");
  return value as Record<string, unknown>;
}

function notDecoded(detail: string): ApiError {
  return new ApiError(400, "Failed to decode request payload.", { detail });
}
