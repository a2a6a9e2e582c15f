import { ContextSender } from "../../client/index-node.js";
import type { WorkspaceContext } from "../../local/index.js";
import type { AgentPart } from "../part.js";
import { expandDirectory } from "../workspace/workplace.js";

/** Pushes the workspace's context, from the time the start scripts have ended. C4.70–C4.72. */
export function contextPart(context: WorkspaceContext): AgentPart {
  return {
    name: "context",
    senders: [new ContextSender(context)],
    onManifest: ({ directory }) => context.setDirectory(expandDirectory(directory)),
    onBegun: () => context.open(),
    close: () => context.close(),
  };
}
