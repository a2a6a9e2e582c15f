import { Code } from "@connectrpc/connect";
import { HandlerFailure } from "../../handlers/failure.js";
import type { TailnetHandlers } from "./handlers.js";

/** Tokens with which a client that dials again keeps its peer id. S4.3, S4.30. */
export function resumeTokenHandlers(): TailnetHandlers {
  return {
    refreshResumeToken() {
      throw new HandlerFailure("resume tokens not supported on agent sessions", Code.Unimplemented);
    },
  };
}
