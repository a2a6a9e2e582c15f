import type { IncomingMessage } from "node:http";
import { ApiError } from "../api-error.js";
import { jsonAnswer } from "../http/answer.js";
import { readText } from "../http/request-body.js";
import type { Route } from "../http/routes.js";
import { type IdentityHandlerDeps, identityHandlers } from "./handlers.js";
import type { Cloud } from "./options.js";

const clouds: readonly Cloud[] = ["aws", "azure", "google"];
const maxBodyBytes = 64 * 1024;

/**
 * The endpoints at which machines log in: `POST /api/v2/workspaceagents/<cloud>-instance-identity`. They need no
 * token: they give one. S5.39–S5.41.
 * @throws Error when the options have certificates or keys that cannot be read.
 */
export function identityRoutes(deps: IdentityHandlerDeps): Route[] {
  const handlers = identityHandlers(deps);
  return clouds.map((cloud) => ({
    method: "POST",
    path: `/api/v2/workspaceagents/${cloud}-instance-identity`,
    who: "anyone",
    answer: async ({ request }) => {
      const { status, json } = await handlers[cloud](await bodyOf(request));
      return jsonAnswer(status, json);
    },
  }));
}

/** What a parser says of a text may repeat a part of it, and these bodies are secret. S5.2. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request, maxBodyBytes);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const detail = text === "" ? "The body is empty." : "The body is not JSON.";
    throw new ApiError(400, "Request body must be valid JSON.", { detail });
  }
}
