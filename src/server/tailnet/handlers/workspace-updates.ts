import { Code } from "@connectrpc/connect";
import { HandlerFailure } from "../../handlers/failure.js";
import type { TailnetHandlers } from "./handlers.js";

/** The workspaces and agents of one owner, as they change. S4.3, S4.33. */
export function workspaceUpdateHandlers(): TailnetHandlers {
  return {
    // biome-ignore lint/correctness/useYield: there is nothing to answer
    async *workspaceUpdates() {
      throw new HandlerFailure("workspace updates not supported on agent sessions", Code.Unimplemented);
    },
  };
}
