/** A small agent, complete enough to develop and try control planes and templates with. */
export type { LifecycleName } from "../client/index-node.js";
export type { AgentOptions, RunningAgent } from "./agent.js";
export { runAgent } from "./agent.js";
export type { AgentEvent, ScriptStage, ScriptStatus } from "./events.js";
