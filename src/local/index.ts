/** What lives beside an agent on its machine. For Node. */
export { LineSplitter } from "../client/index-node.js";
export type {
  ContextEnvironment,
  ContextFiles,
  ContextService,
  ContextSnapshot,
  McpServerEntry,
  McpTool,
  WalkLimits,
  WorkspaceContext,
  WorkspaceContextOptions,
} from "./context/index.js";
export { createWorkspaceContext, takeContextEnvironment } from "./context/index.js";
