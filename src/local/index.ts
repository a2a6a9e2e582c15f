/** What lives beside an agent on its machine. For Node. */
// boundary logs
export type { BoundaryLogClient, BoundaryLogClientOptions } from "./boundary/log-client.js";
export { createBoundaryLogClient } from "./boundary/log-client.js";
export type { BoundaryLogEntry } from "./boundary/log-frames.js";
export type { BoundaryLogNumber } from "./boundary/log-numbers.js";
export type {
  BoundaryLogProxy,
  BoundaryLogProxyLimits,
  BoundaryLogProxyOptions,
} from "./boundary/log-proxy.js";
export { createBoundaryLogProxy } from "./boundary/log-proxy.js";
export type { BoundaryLogSink } from "./boundary/proxy-connection.js";
export {
  boundaryLogSocketPath,
  boundaryLogSocketVariables,
  defaultBoundaryLogSocketPath,
} from "./boundary/socket-path.js";
export type {
  ContextEnvironment,
  ContextFileEntry,
  ContextFileKind,
  ContextFileStart,
  ContextFiles,
  McpServerEntry,
  McpTool,
  WalkLimits,
  WorkspaceContext,
  WorkspaceContextOptions,
} from "./context/index.js";
export { createWorkspaceContext, takeContextEnvironment } from "./context/index.js";

// the agent socket, and the units that wait for each other
export type {
  AgentSocketConnection,
  AgentSocketOptions,
  AgentSocketServer,
  AppStatusClient,
  ContextResourceKind,
  ContextResourceStatusText,
  ContextService,
  ContextSnapshot,
  ContextSnapshotResource,
  DialAgentSocketOptions,
} from "./socket/index.js";
export { createAgentSocket, defaultAgentSocketPath, dialAgentSocket } from "./socket/index.js";
export type { Unit, UnitDependency, UnitErrorCode, UnitGraphLimits, UnitStatus } from "./units/index.js";
export { notRegistered, UnitError, UnitGraph, unitStatusText } from "./units/index.js";
