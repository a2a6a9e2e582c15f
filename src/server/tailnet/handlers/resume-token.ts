import { Code } from "@connectrpc/connect";
import { doing, HandlerFailure } from "../../handlers/failure.js";
import { millisecondsDuration, usTimestamp } from "../../handlers/time.js";
import type { TailnetDeps } from "../tailnet.js";
import { tailnetSessionOf } from "../tailnet-session.js";
import type { TailnetHandlers } from "./handlers.js";

/** Tokens with which a client that dials again keeps its peer id. S4.3, S4.30. */
export function resumeTokenHandlers({ resumeTokens }: TailnetDeps): TailnetHandlers {
  return {
    async refreshResumeToken(_request, context) {
      const { user, peer } = tailnetSessionOf(context);
      if (user === undefined) {
        throw new HandlerFailure("resume tokens not supported on agent sessions", Code.Unimplemented);
      }
      const { token, refreshInMs, expiresAtUs } = await doing("generate resume token", () =>
        resumeTokens.issue(peer.id, user.id),
      );
      return { token, refreshIn: millisecondsDuration(refreshInMs), expiresAt: usTimestamp(expiresAtUs) };
    },
  };
}
