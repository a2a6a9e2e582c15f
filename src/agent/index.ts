/** An agent: the whole of it, and the parts that it is made of. For Node. */
export type { AgentOptions, RunningAgent } from "./agent-options.js";
export type { BoundaryOptions } from "./beside/boundary-part.js";
export type { SocketOptions } from "./beside/socket-part.js";
export { createAgent } from "./create-agent.js";
export type { AgentEvent, Banner, ScriptStage, ScriptStatus } from "./events.js";
export type { AgentHost, AgentMetric, AgentPart, MakePart, StageEnd } from "./part.js";
export type { AgentParts } from "./parts.js";
export type { ScriptFolder } from "./scripts/script-folder.js";
export type { ScriptsOptions } from "./scripts/scripts-part.js";
export type { SubAgent, SubAgentAppError, SubAgentDefinition } from "./sub-agents/sub-agents.js";
export { SubAgents } from "./sub-agents/sub-agents.js";
export type { ResourcesOptions } from "./usage/resources-part.js";
export type { StatsOptions } from "./usage/stats-part.js";
export type { BannerOptions } from "./workspace/banners.js";
export type { MetadataOptions } from "./workspace/metadata-part.js";
export type { Workplace } from "./workspace/workplace.js";
