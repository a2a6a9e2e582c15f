import { z } from "zod";
import { ApiError } from "../../api-error.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import { readJson, textField, uuidField } from "../request-body.js";
import type { AgentCall, RouteAnswer } from "../routes.js";
import { isoTime } from "../times.js";

const maxDisplayNameCharacters = 127;

const bodySchema = z.object({ id: uuidField, display_name: textField, icon: textField });

/** `POST /me/log-source`: registers where log lines come from. The same id again is fine. S5.15, S5.16. */
export async function postLogSource({ handlers }: HttpDeps, call: AgentCall): Promise<RouteAnswer> {
  const { id, display_name: displayName, icon } = await readJson(call.request, bodySchema);
  if ([...displayName].length > maxDisplayNameCharacters) {
    throw new ApiError(500, "An internal server error occurred.", { detail: "display_name is too long" });
  }
  const agentId = call.identity.agent.id;
  const createdAtUs = handlers.nowUs();
  await handlers.store.insertLogSource({ agentId, id, displayName, icon, createdAtUs });
  return jsonAnswer(201, {
    workspace_agent_id: agentId,
    id,
    created_at: isoTime(createdAtUs),
    display_name: displayName,
    icon,
  });
}
