import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { normalizeUuid } from "../codec/index.js";
import type { AgentStore } from "../store/index.js";
import { ApiError } from "./api-error.js";
import { type HttpAnswer, jsonAnswer } from "./http-answer.js";

const maxBodyBytes = 64 * 1024;
const maxDisplayNameCharacters = 127;
const nilUuid = "00000000-0000-0000-0000-000000000000";

const bodySchema = z.object({
  id: z.string().default(nilUuid),
  display_name: z.string().default(""),
  icon: z.string().default(""),
});

/** `POST /me/log-source`: registers where log lines come from. The same id again is fine. S5.15, S5.16. */
export async function postLogSource(
  request: IncomingMessage,
  agentId: string,
  store: AgentStore,
  nowUs: () => number,
): Promise<HttpAnswer> {
  const parsed = bodySchema.safeParse(await jsonBodyOf(request));
  const id = parsed.success ? normalizeUuid(parsed.data.id) : undefined;
  if (!parsed.success || id === undefined) {
    const detail = parsed.success ? "id must be a UUID" : z.prettifyError(parsed.error);
    throw new ApiError(400, "Request body must be valid JSON.", { detail });
  }
  const { display_name: displayName, icon } = parsed.data;
  if ([...displayName].length > maxDisplayNameCharacters) {
    throw new ApiError(500, "An internal server error occurred.", { detail: "display_name is too long" });
  }
  const createdAtUs = nowUs();
  await store.insertLogSource({ agentId, id, displayName, icon, createdAtUs });
  return jsonAnswer(201, {
    workspace_agent_id: agentId,
    id,
    created_at: isoMicroseconds(createdAtUs),
    display_name: displayName,
    icon,
  });
}

async function jsonBodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) throw new ApiError(413, "Request body too large.");
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new ApiError(400, "Request body must be valid JSON.", { detail });
  }
}

/** RFC 3339 with microseconds. */
function isoMicroseconds(us: number): string {
  const fraction = String(us % 1_000_000).padStart(6, "0");
  return `${new Date(Math.floor(us / 1000)).toISOString().slice(0, 19)}.${fraction}Z`;
}
