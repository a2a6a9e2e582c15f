import { type AgentRecord, type LifecycleState, prebuildsOwnerId } from "../store/index.js";
import type { AgentSession } from "./agent-session.js";
import type { HandlerDeps } from "./handlers/deps.js";

/**
 * Observes how long a build took, once all of its own agents have started: from its beginning until the last was
 * ready, with the worst of their ends. S3.38.
 */
export async function measureBuild(deps: HandlerDeps, who: AgentSession, agent: AgentRecord): Promise<void> {
  if (agent.parentId !== undefined) return;
  try {
    const [builds, agents] = await Promise.all([
      deps.store.builds(who.workspaceId),
      deps.store.buildAgents(agent.buildId),
    ]);
    const build = builds?.latest;
    if (build === undefined || build.id !== agent.buildId) return;
    const readyAtUs = agents.map((one) => one.readyAtUs);
    if (readyAtUs.some((at) => at === undefined)) return;
    const lastUs = Math.max(...readyAtUs.map((at) => at ?? 0));
    const labels = {
      template_name: who.templateName,
      organization_name: "",
      transition: build.transition,
      status: worstOf(agents.map(({ lifecycleState }) => lifecycleState)),
      is_prebuild: String(build.initiatorId === prebuildsOwnerId),
    };
    const seconds = (lastUs - build.createdAtUs) / 1_000_000;
    deps.metrics.observe("coderd_template_workspace_build_duration_seconds", seconds, labels);
  } catch (error) {
    deps.log.warn("the duration of a build could not be measured", { error: String(error) });
  }
}

function worstOf(states: readonly LifecycleState[]): "success" | "timeout" | "error" {
  if (states.includes("start_error")) return "error";
  return states.includes("start_timeout") ? "timeout" : "success";
}
