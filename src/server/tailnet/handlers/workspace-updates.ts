import { Code } from "@connectrpc/connect";
import { HandlerFailure, uuidIn } from "../../handlers/failure.js";
import type { TailnetDeps } from "../tailnet.js";
import { tailnetSessionOf } from "../tailnet-session.js";
import { followWorkspaces } from "../workspace-updates/follow.js";
import type { TailnetHandlers } from "./handlers.js";

/** The workspaces and agents of one owner, as they change. S4.3, S4.33. */
export function workspaceUpdateHandlers(deps: TailnetDeps): TailnetHandlers {
  return {
    async *workspaceUpdates({ workspaceOwnerId }, context) {
      const { user } = tailnetSessionOf(context);
      if (user === undefined) {
        throw new HandlerFailure("workspace updates not supported on agent sessions", Code.Unimplemented);
      }
      const ownerId = uuidIn(workspaceOwnerId, "parse workspace owner ID: ");
      yield* deps.streams.within(context.signal, (signal) => followWorkspaces(deps, user, ownerId, signal));
    },
  };
}
