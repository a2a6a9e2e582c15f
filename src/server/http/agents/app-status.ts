import { z } from "zod";
import { UpdateAppStatusRequest_AppStatusState as WireState } from "../../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../../rpc/error-text.js";
import { formatVersion, newestVersion } from "../../../version/index.js";
import { agentSession } from "../../agent-session.js";
import { ApiError } from "../../api-error.js";
import { reportAppStatus } from "../../handlers/app-status.js";
import { HandlerFailure } from "../../handlers/failure.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import { readJson, textField } from "../request-body.js";
import type { AgentCall, RouteAnswer } from "../routes.js";

const states: ReadonlyMap<string, WireState> = new Map([
  ["working", WireState.WORKING],
  ["idle", WireState.IDLE],
  ["complete", WireState.COMPLETE],
  ["failure", WireState.FAILURE],
]);

const bodySchema = z.object({ app_slug: textField, state: textField, message: textField, uri: textField });

/** `PATCH /me/app-status`: UpdateAppStatus of before the RPC, for the workspace's owner of now. S5.12–S5.14. */
export async function patchAppStatus({ handlers }: HttpDeps, call: AgentCall): Promise<RouteAnswer> {
  const { app_slug: slug, state: word, message, uri } = await readJson(call.request, bodySchema);
  const { agent } = call.identity;
  const workspace = await freshWorkspace(handlers, agent.workspaceId);
  const state = states.get(word);
  if (state === undefined) {
    throw new ApiError(400, "Failed to parse request.", { detail: `Invalid state: ${word}` });
  }
  const session = agentSession({ agent, workspace }, formatVersion(newestVersion));
  try {
    await reportAppStatus(handlers, session, { slug, state, message, uri }, workspace);
  } catch (error) {
    // the refusal that the RPC has as text
    if (error instanceof HandlerFailure && error.cause instanceof ApiError) throw error.cause;
    throw error;
  }
  return jsonAnswer(200, null);
}

async function freshWorkspace({ store }: HttpDeps["handlers"], id: string) {
  const message = "Failed to get workspace.";
  try {
    const workspace = await store.workspace(id);
    if (workspace !== undefined) return workspace;
  } catch (error) {
    throw new ApiError(400, message, { detail: errorText(error) });
  }
  throw new ApiError(400, message, { detail: `there is no workspace ${id}` });
}
