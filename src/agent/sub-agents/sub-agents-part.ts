import { isUnimplemented } from "../../client/index-node.js";
import { errorText } from "../../rpc/error-text.js";
import type { AgentHost, AgentPart } from "../part.js";
import type { SubAgents } from "./sub-agents.js";

/** Gives sub-agents a connection; removes those of an earlier life, and at the end those of this one. */
export function subAgentsPart(host: AgentHost, subAgents: SubAgents): AgentPart {
  let isFirst = true;
  let current: unknown;
  const warn = (texts: readonly string[]) => {
    for (const text of texts) host.tell({ kind: "warning", text });
  };
  return {
    name: "sub-agents",
    async onConnection({ agent, closed }, signal) {
      current = agent;
      subAgents.use(agent);
      void closed.then(() => {
        if (current === agent) subAgents.use(undefined);
      });
      // an agent that is a sub-agent itself has none. C4.28
      if (!isFirst || host.manifest?.parentId !== undefined) return;
      try {
        warn(await subAgents.deleteStrangers(host.manifest, signal));
        isFirst = false;
      } catch (error) {
        if (signal.aborted || isUnimplemented(error)) return;
        warn([`sub-agents: ${errorText(error)}`]);
      }
    },
    async close() {
      warn(await subAgents.deleteCreated());
      current = undefined;
      subAgents.use(undefined);
    },
  };
}
