/** What is there for assistants in a workspace: instruction files, skills, MCP configs and servers. */

export type { ContextEnvironment } from "./environment.js";
export { takeContextEnvironment } from "./environment.js";
export type { ContextFileEntry, ContextFileKind, ContextFileStart, ContextFiles } from "./files.js";
export type { McpServerEntry, McpTool } from "./resource.js";
export type { WalkLimits } from "./walk.js";
export type { WorkspaceContext, WorkspaceContextOptions } from "./workspace-context.js";
export { createWorkspaceContext } from "./workspace-context.js";
