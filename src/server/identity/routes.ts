import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, asApiError } from "../api-error.js";
import { errorAnswer, type HttpAnswer, jsonAnswer, sendAnswer } from "../http-answer.js";
import { type IdentityHandler, type IdentityHandlerDeps, identityHandlers } from "./handlers.js";
import type { Cloud } from "./options.js";
import { readJsonBody } from "./read-json-body.js";

/** What answers the requests for one path. They have no token. */
export interface IdentityRoute {
  path: string;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

const clouds: readonly Cloud[] = ["aws", "azure", "google"];

/**
 * The endpoints at which machines log in: `POST /api/v2/workspaceagents/<cloud>-instance-identity`. S5.39–S5.41.
 * @throws Error when the options have certificates or keys that cannot be read.
 */
export function identityRoutes(
  deps: IdentityHandlerDeps & {
    /** The `X-Coder-Build-Version` of answers; `agentwire` by default. */
    buildVersion?: string;
  },
): readonly IdentityRoute[] {
  const handlers = identityHandlers(deps);
  return clouds.map((cloud) => ({
    path: `/api/v2/workspaceagents/${cloud}-instance-identity`,
    handle: (request, response) => {
      void answerTo(request, handlers[cloud]).then((answer) => {
        // who has gone away in the meantime gets no answer
        if (!response.destroyed) sendAnswer(response, answer, deps.buildVersion ?? "agentwire");
      });
    },
  }));
}

async function answerTo(request: IncomingMessage, handler: IdentityHandler): Promise<HttpAnswer> {
  if (request.method !== "POST") return { status: 405, headers: { Allow: "POST" }, body: "" };
  try {
    const { status, json } = await handler(await readJsonBody(request));
    return jsonAnswer(status, json);
  } catch (error) {
    const answer = errorAnswer(asApiError(error));
    // what is left of a body that was refused is not waited for
    const isRead = !(error instanceof ApiError) || error.status !== 413;
    return isRead ? answer : { ...answer, headers: { ...answer.headers, Connection: "close" } };
  }
}
